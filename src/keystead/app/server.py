"""A server without its door: all parts, put together here and nowhere else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from keystead.api.accounts import ACCOUNTS
from keystead.api.analyzed import Sources
from keystead.api.attestation import AttestationTrust, attestation_of
from keystead.api.authenticate import Authenticator
from keystead.api.census import Counting
from keystead.api.decisions import Decisions
from keystead.api.figures import Figures
from keystead.api.holdings import Holdings
from keystead.api.leader import Leader
from keystead.api.limits import quotas_of
from keystead.api.objectstore import Brake, ObjectStore
from keystead.api.operations_door import OperationsDoor
from keystead.api.outside import Outside, outside_of
from keystead.api.parts import Parts
from keystead.api.pipeline import Pipeline
from keystead.api.rates import rates_of
from keystead.api.receipts import Receipts
from keystead.api.rest import is_for_s3
from keystead.api.scheduler import Scheduler, Work
from keystead.api.tracing import tracing_of
from keystead.api.trails import Trails
from keystead.api.turns import Turns
from keystead.api.usage import UsageTracker
from keystead.api.usage_replay import rebuild
from keystead.api.waiting import is_brief
from keystead.api.watching import watching_of
from keystead.app.deployments import journal_of
from keystead.app.pools import Pools
from keystead.app.tables import TABLES
from keystead.app.upkeep import Chores, Upkeep
from keystead.audit.commit import Committer
from keystead.audit.custody import name_log, open_log_keys
from keystead.audit.index import Index
from keystead.audit.journal import Journal
from keystead.audit.logfiles import LogFiles
from keystead.audit.logkeys import LogKeys
from keystead.audit.orphans import take_up
from keystead.audit.sequencing import sequencing_of
from keystead.audit.sink import sink_of
from keystead.clock import Clock, ManualClock, SystemClock
from keystead.entropy import Entropy, SystemEntropy
from keystead.keyring import Keyring
from keystead.objects import Blobs, open_blobs
from keystead.services.accessanalyzer import ACCESS_ANALYZER
from keystead.services.accessanalyzer.follower import Follower
from keystead.services.accessanalyzer.used import Evidence
from keystead.services.cloudtrail import CLOUDTRAIL, is_trail
from keystead.services.cloudtrail.courier import Courier
from keystead.services.cloudtrail.delivery import Route
from keystead.services.iam import IAM
from keystead.services.iam.analyzed import AnalyzedRoles
from keystead.services.keystead import KEYSTEAD
from keystead.services.kms import due as kms_due
from keystead.services.kms.analyzed import AnalyzedKeys
from keystead.services.kms.service import KMS, KeyRelations
from keystead.services.kms.tables import KEYS
from keystead.services.organizations import ORGANIZATIONS
from keystead.services.s3 import S3
from keystead.services.s3 import due as s3_due
from keystead.services.s3.analyzed import AnalyzedBuckets
from keystead.services.s3.garbage import Collector
from keystead.services.s3.holdings import BucketHoldings
from keystead.services.sts import STS
from keystead.settings import Settings
from keystead.storage import ReadAhead, Store
from keystead.wire.http import Request, Response

SERVICES = {
    service.name: service
    for service in (KMS, STS, IAM, ORGANIZATIONS, CLOUDTRAIL, S3, ACCESS_ANALYZER, KEYSTEAD)
}
HOLDINGS: tuple[Holdings, ...] = (BucketHoldings(),)
ANALYZED: Sources = (AnalyzedKeys(), AnalyzedRoles(), AnalyzedBuckets())
WORKER = "w0"
_TRACKED = frozenset(
    name for service in SERVICES.values() for name, op in service.operations.items() if op.tracks_use
)
DOMAINS = ("localhost",)
"""Hosts before which the name of a bucket may stand, beside those of Amazon."""
BRIEF = 64 * 1024
"""Bytes of a body that is gathered like any other service's, if it is to be kept by a record."""


class App:
    """A server without its door: `handle` takes requests once `start` was awaited."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        directory: Path,
        journal: Journal,
        clock: Clock,
        wall: Clock,
        attestation: AttestationTrust,
        outside: Outside,
        blobs: Blobs,
        entropy: Entropy | None = None,
    ) -> None:
        self.settings = settings
        self.store = store
        self.directory = directory
        self.clock = clock
        self.wall = wall
        self.entropy = entropy or SystemEntropy()
        self.journal = journal
        self._attestation = attestation
        self._outside = outside
        self.figures = Figures(
            directory,
            journal,
            wall,
            Counting(store, KEYS, clock, lambda key: str(key.state)).go_on,
            shared=settings.workers > 1,
        )
        self._watching = watching_of(settings.alarms, directory, wall)
        self._tracing = tracing_of(settings.otlp_endpoint, journal.worker)
        self.usage = UsageTracker()
        self._leader = Leader(directory)
        self._pools = Pools(settings)
        self._blobs = blobs
        self._brief = min(settings.inline_objects, BRIEF)
        self._collector = Collector(store, blobs, clock)

    async def start(self) -> None:
        """Ready to handle requests: the journal is recovered and due work is under way.

        Raises:
            errors.OperatorError: the store or the journal cannot be used.
        """
        loop = asyncio.get_running_loop()
        keyring = Keyring.open(self.store, self.entropy)
        log_keys = self._log_keys()
        self.committer = self._committing(log_keys, loop)
        if self._watching is not None and self._leader.leads():
            # Only whoever leads reads where the watch was left: nobody else may write it meanwhile.
            await loop.run_in_executor(self._pools.upkeep, self._watching.prepare)
        self._sequencing = sequencing_of(self.directory, log_keys, self.settings.witnesses, self.store)
        first = self.journal.worker == WORKER
        left = take_up(self.store, self.directory, self.settings.workers) if first else []
        self.scheduler = self._scheduling(keyring)
        trails = Trails(Index(self.directory), sink_of(self.settings), is_trail)
        self._upkeep = self._looking_after(keyring, trails)
        self._receipts = self._receipting(log_keys, loop)
        authenticator = Authenticator(self.store, keyring, self.entropy, v2=self.settings.s3_signature_v2)
        pipeline = Pipeline(self._parts(keyring, authenticator, trails, loop))
        self._turns = Turns(pipeline.handle, pipeline.refuse, loop.call_soon, self.settings.max_waiting)
        self._door = self._operating(authenticator)
        uses = (self.store.transaction(), self.directory, self.journal, left, _TRACKED, self.usage)
        loop.run_in_executor(self._pools.upkeep, rebuild, *uses)
        self._upkeep.start()

    def handle(self, request: Request, done: Callable[[Response], None]) -> None:
        """Answer one request; see `keystead.wire.http.Handler`."""
        if request.target in self._door.paths and request.stream is None:
            self._door.handle(request, done)
        else:
            self._turns.handle(request, done)

    def streams(self, method: str, target: str, headers: Mapping[str, str]) -> bool:
        """Whether a request is to be handed over before its body has arrived; see `keystead.http.serve`."""
        signed = "authorization" in headers
        if target in self._door.paths:
            return signed and is_for_s3(method, target, headers, DOMAINS)
        return not is_brief(method, headers, self._brief) and is_for_s3(method, target, headers, DOMAINS)

    async def stop(self) -> None:
        """Everything submitted is durable and answered, and the files are closed."""
        loop = asyncio.get_running_loop()
        await self._upkeep.stop()
        for helper in (self._watching, self._tracing):
            if helper is not None:
                await loop.run_in_executor(None, helper.close)
        await self._upkeep.finish()
        await self._pools.close()
        await loop.run_in_executor(None, self._sequencing.stop)
        await loop.run_in_executor(None, self._receipts.close)
        self._leader.resign()
        self._outside.pool.shutdown(wait=False, cancel_futures=True)
        self.committer.close()
        self._blobs.close()
        self.store.close()

    # ------------------------------------------------------------------- how parts are made

    def _log_keys(self) -> LogKeys:
        # Asked first: another worker may name the log and begin it at this moment.
        begun = LogFiles(self.directory).begun
        keys = open_log_keys(self.store, self.entropy)
        return name_log(self.store, keys, self.settings.log_origin, begun=begun)

    def _committing(self, log_keys: LogKeys, loop: asyncio.AbstractEventLoop) -> Committer:
        committer = Committer(
            self.store,
            self.journal,
            loop.call_soon_threadsafe,
            next_turn=loop.call_soon,
            coming=lambda: self._turns.coming,
            on_group=self.figures.measures.group,
            digests=log_keys.digests,
        )
        committer.start()
        self.figures.attach(committer)
        return committer

    def _scheduling(self, keyring: Keyring) -> Scheduler:
        return Scheduler(
            Work(
                store=self.store,
                committer=self.committer,
                usage=self.usage,
                clock=self.clock,
                wall=self.wall,
                entropy=self.entropy,
                pool=self._pools.upkeep,
                handlers={**kms_due.handlers(keyring), **s3_due.handlers(keyring, self.entropy)},
                exists=lambda tx, place: tx.get(KEYS, place) is not None,
                worker=self.journal.worker,
                position=lambda: self.journal.next_index,
            )
        )

    def _looking_after(self, keyring: Keyring, trails: Trails) -> Upkeep:
        evidence = Evidence(trails.index, self.settings.retention_days)
        route = Route(self.store, keyring, trails.index, trails.sink, self.directory)
        return Upkeep(
            Chores(
                store=self.store,
                leader=self._leader,
                sequencing=self._sequencing,
                scheduler=self.scheduler,
                courier=Courier(route, self.settings, self.clock, self.entropy),
                follower=Follower(self.store, ANALYZED, evidence, self.clock),
                figures=self.figures,
                watching=self._watching,
                collector=self._collector,
                ahead=ReadAhead(self.store, TABLES, self.settings.read_ahead),
                pools=self._pools,
            )
        )

    def _receipting(self, log_keys: LogKeys, loop: asyncio.AbstractEventLoop) -> Receipts:
        return Receipts(
            LogFiles(self.directory),
            self.journal.worker,
            lambda: self.journal.next_index,
            log_keys.salts,
            loop.call_soon_threadsafe,
            self._sequencing.nudge,
            wait=self.settings.receipt_wait,
            most=self.settings.max_waiting,
        )

    def _parts(
        self,
        keyring: Keyring,
        authenticator: Authenticator,
        trails: Trails,
        loop: asyncio.AbstractEventLoop,
    ) -> Parts:
        return Parts(
            services=SERVICES,
            store=self.store,
            committer=self.committer,
            keyring=keyring,
            authenticator=authenticator,
            usage=self.usage,
            clock=self.clock,
            wall=self.wall,
            entropy=self.entropy,
            pool=self._pools.calls,
            bodies=self._pools.bodies,
            forms=self._pools.forms,
            objects=ObjectStore(
                self._blobs,
                self._pools.answers,
                loop.call_soon_threadsafe,
                self.settings.inline_objects,
                Brake(self.settings.brake_objects, self.settings.brake_seconds),
            ),
            domains=DOMAINS,
            rates=rates_of(self.settings, SERVICES, self.directory),
            quotas=quotas_of(self.settings),
            relations=KeyRelations(self.store),
            attestation=self._attestation,
            decisions=Decisions(self.directory, self.journal.worker, keyring),
            trails=trails,
            analyzed=ANALYZED,
            holdings=HOLDINGS,
            outside=self._outside,
            receipts=self._receipts,
            changed=self._upkeep.look_soon,
            count=self.figures.measures.call,
            tick=time.perf_counter,
            trace=None if self._tracing is None else self._tracing.call,
            regions=frozenset(self.settings.regions),
        )

    def _operating(self, authenticator: Authenticator) -> OperationsDoor:
        return OperationsDoor(
            committer=self.committer,
            metrics=lambda: self.figures.page(self._pools.upkeep),
            authenticator=authenticator,
            store=self.store,
            clock=self.clock,
            wall=self.wall,
            run_due=self.scheduler.run,
            log_state=lambda: self._sequencing.state,
            entropy=self.entropy,
        )


def build(
    settings: Settings,
    store: Store,
    directory: Path,
    *,
    clock: Clock | None = None,
    wall: Clock | None = None,
    entropy: Entropy | None = None,
    worker: str = WORKER,
    blobs: Blobs | None = None,
) -> App:
    """The server for a store that is open and a data directory that its journal is to be in.

    `worker` names the journal; the first worker also takes up journals that no worker has any more.
    `clock` is the service's time, which `--manual-clock` lets a developer move; `wall` dates signatures and
    HTTP answers, as clients' own clocks do.

    Raises:
        errors.SettingsError: a file of certificates cannot be read.
        errors.JournalError: another server has the directory, its journal cannot be read, or evidence is gone.
        errors.BlobsUnavailable: the directory of objects cannot be made.
    """
    clock = clock or (ManualClock() if settings.manual_clock else SystemClock())
    wall = wall or SystemClock()
    attestation, outside = attestation_of(settings, wall), outside_of(settings)
    journal = journal_of(store, directory, worker)
    kept = blobs or open_blobs(settings, directory)
    return App(settings, store, directory, journal, clock, wall, attestation, outside, kept, entropy)


def accounts(store: Store) -> list[str]:
    """The ids of all accounts."""
    return [account for account, _ in store.transaction().scan(ACCOUNTS, "")]
