import json

import pytest
from bundles import SIGNER

from keystead.receipts import ReceiptError, verify
from keystead_verify.main import run

VKEY = SIGNER.key.text


@pytest.fixture
def both(tmp_path, capsys):
    """What the library and the other program say of a receipt: the kind of what they find, None if it holds."""

    def judged(text, *witnesses, quorum=None):
        kind = None
        try:
            verify(text, VKEY, witnesses=witnesses, quorum=quorum)
        except ReceiptError as error:
            kind = error.kind
        (tmp_path / "receipt").write_text(text)
        options = [argument for key in witnesses for argument in ("--witness-vkey", key)]
        options += [] if quorum is None else ["--quorum", str(quorum)]
        status = run(["receipt", str(tmp_path / "receipt"), "--vkey", VKEY, "--output", "json", *options])
        kinds = {finding["kind"] for finding in json.loads(capsys.readouterr().out)["findings"]}
        assert kinds == (set() if kind is None else {kind})
        assert status == (kind is not None)
        return kind

    return judged
