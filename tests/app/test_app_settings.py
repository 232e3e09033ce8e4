import pytest

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


def test_regions_can_come_from_a_variable():
    assert load({}, {"KEYSTEAD_REGIONS": "us-east-1,eu-west-1"}).regions == ("us-east-1", "eu-west-1")


def test_settings_show_nothing_of_themselves():
    assert "s3cret" not in repr(Settings(access_key_id="a", secret_access_key="s3cret"))
