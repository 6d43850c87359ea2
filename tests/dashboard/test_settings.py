from __future__ import annotations

import pytest

from rlhf_lab.dashboard import ServeSettings
from rlhf_lab.errors import ConfigError


def test_the_default_is_for_this_machine_alone():
    settings = ServeSettings()
    assert settings.address == "127.0.0.1"
    assert settings.base_url(5006) == "http://127.0.0.1:5006"
    assert settings.origins(5006) == {"127.0.0.1:5006", "localhost:5006", "[::1]:5006"}
    assert not settings.is_in_clear


@pytest.mark.parametrize("host", ["*", "*:5006", "*.example.org", "http://*"])
def test_wildcards_are_refused_with_the_reason(host):
    with pytest.raises(ConfigError, match=r"no wildcards\. With one, any page"):
        ServeSettings(allow_websocket_origin=(host,))


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("lab.example.org", "lab.example.org"),
        ("LAB.example.org:8080", "lab.example.org:8080"),
        ("https://lab.example.org", "lab.example.org"),
        ("https://lab.example.org:443/", "lab.example.org"),
        ("http://lab.example.org:80", "lab.example.org"),
        ("[2001:db8::1]:5006", "[2001:db8::1]:5006"),
    ],
)
def test_hosts_are_kept_as_browsers_name_them(given, origin):
    settings = ServeSettings(allow_websocket_origin=(given,))
    assert settings.origins(5006) - ServeSettings().origins(5006) == {origin}


@pytest.mark.parametrize("host", ["", "lab/x", "a@b", "host:99999", "host:port", "http://"])
def test_what_is_no_host_is_refused(host):
    with pytest.raises(ConfigError, match="--allow-websocket-origin"):
        ServeSettings(allow_websocket_origin=(host,))


@pytest.mark.parametrize("workers", [0, 2, -1])
def test_other_numbers_of_workers_are_refused_with_the_reason(workers):
    with pytest.raises(ConfigError, match=r"only 1 works\. An open page lives in the process"):
        ServeSettings(workers=workers)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", ""])
def test_listening_everywhere_asks_under_which_address_people_come(address):
    with pytest.raises(ConfigError, match="Say it with --public-url"):
        ServeSettings(address=address)
    settings = ServeSettings(address=address, public_url="http://192.0.2.7:5006/")
    assert settings.origins(5006) == {"192.0.2.7:5006"}
    assert settings.base_url(5006) == "http://192.0.2.7:5006"
    assert settings.is_in_clear


def test_behind_tls_links_begin_with_the_public_address():
    settings = ServeSettings(public_url="https://Lab.example.org:443")
    assert settings.base_url(5006) == "https://lab.example.org"
    assert "lab.example.org" in settings.origins(5006)
    assert not settings.is_in_clear


@pytest.mark.parametrize("url", ["lab.example.org", "ftp://lab", "https://u:p@lab", "https://"])
def test_what_people_cannot_type_is_no_public_address(url):
    with pytest.raises(ConfigError, match="the address people type"):
        ServeSettings(public_url=url)


def test_pages_stand_at_the_root_of_a_host():
    with pytest.raises(ConfigError, match=r"a host name of its own, and use https://x\.org"):
        ServeSettings(public_url="https://x.org/lab")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"port": 70000}, "--port 70000"),
        ({"port": -1}, "--port -1"),
        ({"trusted_proxy": ("proxy.example.org",)}, "--trusted-proxy 'proxy.example.org': the IP"),
        ({"log_level": "loud"}, "--log-level 'loud': use one of debug, info, warning, error"),
    ],
)
def test_other_mistakes_are_named(wrong, why):
    with pytest.raises(ConfigError, match=why):
        ServeSettings(**wrong)
