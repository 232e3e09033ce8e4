import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from dev_process import DevServer

from keystead.cli.main import COMMANDS, cli
from keystead.errors import SettingsError
from keystead.http import server_context

KEYSTEAD = str(Path(sys.executable).with_name("keystead"))


def every_command(group, path):
    with click.Context(group, info_name="keystead") as context:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            yield (*path, name)
            if isinstance(command, click.Group):
                yield from every_command(command, (*path, name))


PATHS = list(every_command(cli, ()))


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_every_command_says_what_it_does_and_what_each_option_means(path):
    result = CliRunner().invoke(cli, [*path, "--help"])
    assert result.exit_code == 0
    group, command = cli, None
    for name in path:
        command = group.get_command(click.Context(group), name)
        group = command
    assert command.help
    assert all(option.help for option in command.params if isinstance(option, click.Option))


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_an_unknown_option_is_refused(path):
    assert CliRunner().invoke(cli, [*path, "--no-such-option"]).exit_code == 2


def test_help_loads_no_command():
    code = (
        "import sys; sys.argv = ['keystead', '--help']\n"
        "import keystead.cli.main as main\n"
        "try: main.main()\n"
        "finally: print([m for m in sys.modules if m in ('cryptography', 'botocore', 'uvloop', 'keystead.app')])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stdout
    assert out.rstrip().endswith("[]")
    assert all(about in out for _, _, about in COMMANDS.values())


def test_what_init_prints_can_be_pasted_whatever_the_secret_holds(tmp_path):
    named = ["--data-dir", f"{tmp_path}/a b", "--account-id", "111122223333"]
    given = ["--access-key-id", "MINE", "--secret-access-key", "it's $HOME; #1"]
    made = CliRunner().invoke(cli, ["init", *named, *given])
    pasted = subprocess.run(
        ["bash", "-c", f'{made.output}\nprintf %s "$AWS_SECRET_ACCESS_KEY"'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert pasted.stdout == given[-1]


def test_init_takes_no_passphrase_for_a_seal_that_has_none(tmp_path):
    secret = tmp_path / "passphrase"
    secret.write_text("correct horse")
    named = ["--data-dir", str(tmp_path / "data"), "--account-id", "111122223333"]
    made = CliRunner().invoke(cli, ["init", *named, "--passphrase-file", str(secret)])
    assert made.exit_code == 2
    assert "--passphrase-file is for the passphrase seal: give --seal passphrase, too" in made.output
    assert not (tmp_path / "data").exists()


def test_serve_speaks_tls_where_it_is_told_to(tmp_path):
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=keystead"
    files = "-addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem"
    subprocess.run(f"{make} {files}".split(), check=True, capture_output=True, cwd=tmp_path)
    data = tmp_path / "data"
    made = CliRunner().invoke(
        cli, ["init", "--data-dir", str(data), "--account-id", "111122223333", "--output", "json"]
    )
    assert made.exit_code == 0
    tls = ["--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem")]
    command = [KEYSTEAD, "serve", "--data-dir", str(data), "--listen", "0.0.0.0:0"]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        "keystead: listening on 0.0.0.0, beyond loopback, needs TLS: give --tls-cert and --tls-key\n"
    )
    swapped = subprocess.run(
        [*command, *tls[:2], "--tls-key", tls[1]], capture_output=True, text=True, check=False
    )
    assert swapped.returncode == 2
    assert "must be PEM files" in swapped.stderr
    for kind in (["-algorithm", "ed25519"], ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]):
        subprocess.run(["openssl", "genpkey", *kind, "-out", "another"], check=True, cwd=tmp_path)
        with pytest.raises(
            SettingsError, match="another is not the private key of the first certificate in "
        ):
            server_context(tls[1], str(tmp_path / "another"))
    with subprocess.Popen([*command, *tls], stdout=subprocess.PIPE, text=True) as server:
        ready = server.stdout.readline()
        assert ready.startswith("keystead ready on https://0.0.0.0:")
        listen = f"127.0.0.1:{ready.rpartition(':')[2].strip()}"
        told = CliRunner().invoke(cli, ["doctor", "--data-dir", str(data), "--listen", listen, *tls[:2]])
        server.terminate()
    assert f"ok   server: ready on {listen}" in told.output
    assert server.returncode == 0


def test_a_development_server_opens_a_deployment_by_the_passphrase_file_that_settings_name(tmp_path):
    data, secret = tmp_path / "data", tmp_path / "passphrase"
    secret.write_text("correct horse")
    sealed = ["--seal", "passphrase", "--passphrase-file", str(secret)]
    made = CliRunner().invoke(cli, ["init", "--data-dir", str(data), "--account-id", "000000000000", *sealed])
    assert made.exit_code == 0
    named = {"KEYSTEAD_PASSPHRASE_FILE": str(secret)}
    with DevServer(data, tmp_path / "logs", "--workers", "2", environment=named) as server:
        assert server.ready()[0] == 200
        assert server.stop() == 0
