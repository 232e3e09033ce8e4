import socket

import pytest

from keystead.cli.running import listening_socket
from keystead.errors import SettingsError
from keystead.settings import Settings, load


def test_an_option_outranks_a_variable_which_outranks_the_file(tmp_path):
    file = tmp_path / "keystead.toml"
    file.write_text('region = "eu-west-1"\nthreads = 2\naccount_id = "111122223333"\n')
    environment = {"KEYSTEAD_REGION": "eu-west-2", "KEYSTEAD_THREADS": "3"}
    settings = load({"region": "eu-west-3", "threads": None}, environment, file, seal="passphrase")
    assert (settings.region, settings.threads, settings.account_id) == ("eu-west-3", 3, "111122223333")
    assert settings.seal == "passphrase"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"listen": "nowhere"}, "listen"),
        ({"listen": "127.0.0.1:99999"}, "listen"),
        ({"threads": "many"}, "threads"),
        ({"workers": 0}, "workers"),
        ({"workers": 65}, "workers"),
        ({"workers": 2, "ephemeral": True}, "workers"),
        ({"seal": "wax"}, "seal"),
        ({"region": "US East"}, "region names 'US East'"),
        ({"regions": ["us-east-1", "EU"]}, "regions names 'EU'"),
        ({"log_level": "loud"}, "log_level"),
        ({"tls_cert": "a.pem"}, "tls_key"),
        ({"access_key_id": "x"}, "secret_access_key"),
        ({"quota_keys": -1}, "quota_keys must be 0 or more"),
        ({"trail_s3_endpoint": "s3"}, "trail_s3_endpoint must be a URL such as .*, not 's3'"),
        ({"object_store_endpoint": "https://"}, "object_store_endpoint must be a URL"),
    ],
)
def test_a_bad_value_names_its_setting(options, named):
    with pytest.raises(SettingsError, match=named):
        load(options, {})


def test_a_file_that_cannot_be_used_says_why(tmp_path):
    with pytest.raises(SettingsError, match="cannot read"):
        load({}, {}, tmp_path / "missing.toml")
    file = tmp_path / "bad.toml"
    file.write_text("= nonsense")
    with pytest.raises(SettingsError, match="not TOML"):
        load({}, {}, file)
    file.write_text("colour = 'red'")
    with pytest.raises(SettingsError, match="colour"):
        load({}, {}, file)


@pytest.mark.parametrize(
    ("options", "variables", "said"),
    [
        ({}, {"KEYSTEAD_WORKERS": "abc"}, "workers must be a whole number, not 'abc'"),
        ({}, {"KEYSTEAD_EPHEMERAL": "maybe"}, "ephemeral must be true or false, not 'maybe'"),
        ({"listen": 5}, {}, "listen must be text, not a whole number: put it in quotation marks"),
        ({"regions": 5}, {}, "regions must be a list, not 5"),
        ({"regions": ["eu-west-1", 7]}, {}, r"regions\[1\] must be text, not a whole number: put it in .*"),
        ({"secret_access_key": 1234}, {}, "secret_access_key must be text, not a whole number: .*"),
        ({}, {"KEYSTEAD_WOKRERS": "2"}, ".* variable KEYSTEAD_WOKRERS; KEYSTEAD_WORKERS is called almost so"),
    ],
)
def test_what_cannot_be_meant_is_told_in_words_for_people(options, variables, said):
    with pytest.raises(SettingsError, match=f"^{said}$"):
        load(options, variables)


def test_other_programs_may_have_variables_that_begin_alike():
    assert load({}, {"KEYSTEAD_BACKUP_HOST": "a"}) == Settings()


def test_regions_can_come_from_a_variable():
    assert load({}, {"KEYSTEAD_REGIONS": "us-east-1,eu-west-1"}).regions == ("us-east-1", "eu-west-1")


def test_settings_show_nothing_of_themselves():
    assert "s3cret" not in repr(Settings(access_key_id="a", secret_access_key="s3cret"))


def test_a_port_that_is_taken_is_told_with_what_to_do():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(SettingsError) as failed:
            listening_socket(Settings(listen=listen))
    told = f"cannot listen on {listen}: Address already in use; give another port by --listen"
    assert str(failed.value) == told
