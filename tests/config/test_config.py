"""The configuration: what is accepted, what it means, and the exact words for everything that is wrong."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estafette.config import Config, load, parse
from estafette.quantities import Endpoint, read_duration, read_endpoint, read_size
from estafette.settings import ConfigError, sections_of, settings_of, variable

BAD = sorted(Path(__file__).with_name("bad").glob("*.toml"))


def read(text: str, **environ: str) -> Config:
    return parse(text, "bad.toml", environ, "machine.example.org")


def problems(text: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text, **environ)
    return caught.value.problems


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_a_wrong_file_is_refused_in_exactly_these_words(file: Path) -> None:
    expected = file.with_suffix(".txt").read_text("utf-8").splitlines()
    said = problems(file.read_text("utf-8"))
    if expected[0].endswith("…"):  # from there on the words are those of Python's TOML reader, which differ between versions
        said = [f"{said[0].split(': not valid TOML: ')[0]}: not valid TOML: …"]
    assert said == expected


def test_the_folder_of_wrong_files_is_found() -> None:
    assert len(BAD) > 25


def test_nothing_configured_is_a_working_configuration_on_loopback() -> None:
    config = read("")
    assert config.submission.listen == (Endpoint("127.0.0.1", 2525),)
    assert (config.submission.max_size_bytes, config.submission.require_auth, config.submission.allow_plain_auth) == (25_000_000, True, "loopback")
    assert config.database.sqlite_path == Path("data/estafette.db")
    assert config.master_key_path == Path("data/estafette.key")
    assert config.delivery.retry_s == (300, 900, 1800, 3600, 7200, 14_400)
    assert config.delivery.give_up_after_s == 72 * 3600
    assert (config.blocking.hard_bounce_days, config.blocking.soft_bounce_days) == (90, 90)
    everything = [*config.submission.listen, *config.inbound.listen, config.http.listen]
    assert all(endpoint.is_loopback for endpoint in everything)


def test_values_that_follow_from_others_are_filled_in() -> None:
    config = read("")
    assert config.server.hostname == "machine.example.org"
    assert config.inbound.domain == "bounces.machine.example.org"
    assert config.http.public_url == config.tracking.url == "http://127.0.0.1:8080"
    config = read('[server]\nhostname = "MX.Example.com."\n[http]\npublic_url = "https://mail.example.com/"\n')
    assert (config.server.hostname, config.inbound.domain) == ("mx.example.com", "bounces.mx.example.com")
    assert config.tracking.url == "https://mail.example.com"


def test_every_section_of_the_architecture_reads() -> None:
    config = read(
        """
        [server]
        hostname = "mail.example.com"
        workers = 2
        [database]
        url = "postgresql://user@host/db"
        [submission]
        listen = ["127.0.0.1:2525", "[::1]:2525"]
        tls_cert = "c.pem"
        tls_key = "k.pem"
        max_size = "25MiB"
        require_auth = true
        [http]
        listen = "0.0.0.0:8080"
        public_url = "https://mail.example.com"
        [tracking]
        url = "https://t.example.com"
        opens = true
        clicks = false
        [inbound]
        listen = ["127.0.0.1:2526"]
        domain = "bounces.example.com"
        fbl_addresses = ["fbl@example.com"]
        [delivery]
        port = 2500
        dns = ["127.0.0.1:53"]
        sources = ["0.0.0.0", "2001:DB8::1"]
        retry = ["200ms", "15m", "1h"]
        give_up_after = "72h"
        [blocking]
        hard_bounce_days = 30
        soft_bounce_days = 7
        """
    )
    assert config.submission.max_size_bytes == 25 * 2**20
    assert config.submission.listen[1] == Endpoint("::1", 2525)
    assert config.delivery.retry_s == (0.2, 900, 3600)
    assert config.delivery.sources == ("0.0.0.0", "2001:db8::1")
    assert config.database.sqlite_path is None
    assert config.master_key_path == Path("estafette.key")


def test_the_environment_overrides_the_file() -> None:
    config = read("[delivery]\nport = 25\n", ESTAFETTE_DELIVERY_PORT="2500", ESTAFETTE_SUBMISSION_LISTEN="127.0.0.1:1, [::1]:2",
                  ESTAFETTE_DATABASE_URL="postgresql://u:p@h/d", ESTAFETTE_TRACKING_OPENS="false", ESTAFETTE_DELIVERY_RETRY="1s,2s")  # fmt: skip
    assert config.delivery.port == 2500
    assert config.submission.listen == (Endpoint("127.0.0.1", 1), Endpoint("::1", 2))
    assert config.database.url == "postgresql://u:p@h/d"
    assert config.tracking.opens is False
    assert config.delivery.retry_s == (1, 2)


def test_a_wrong_variable_is_named() -> None:
    assert problems("", ESTAFETTE_DATABASE_ULR="x") == ["ESTAFETTE_DATABASE_ULR: unknown variable; did you mean ESTAFETTE_DATABASE_URL?"]
    assert problems("", ESTAFETTE_SERVER_WORKERS="many") == ['ESTAFETTE_SERVER_WORKERS: must be a whole number, not "many"']
    assert read("", ESTAFETTE_TEST_POSTGRES="x", ESTAFETTE_CONFIG="y") == read("")


@given(
    st.sampled_from([variable(section, row.key) for section, tree in sections_of(Config).items() for _, row in settings_of(tree)]),
    st.text(max_size=30),
)
def test_no_value_of_a_variable_ends_in_anything_but_a_configuration_or_a_complaint(name: str, value: str) -> None:
    said: list[str] = []
    try:
        read("", **{name: value})
    except ConfigError as error:
        said = error.problems
    assert all(name in problem or problem.startswith("bad.toml: ") for problem in said)


def test_secrets_are_neither_printed_nor_echoed() -> None:
    secret = "aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMg=="
    config = read("", ESTAFETTE_SECRETS_MASTER_KEY=secret, ESTAFETTE_DATABASE_URL="postgresql://u:hunter2@h/d")
    assert secret not in repr(config)
    assert "hunter2" not in repr(config)
    assert "hunter2" not in problems("[secrets]\nmaster_key = ['hunter2']\n")[0]
    assert "hunter2" not in problems('[database]\nurl = "mysql://hunter2"\n')[0]


def test_a_named_file_must_exist_and_the_default_one_need_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None, {}).server.workers == 0
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read: No such file or directory"):
        load("nowhere.toml", {})
    (tmp_path / "estafette.toml").write_text("[server]\nworkers = 3\n")
    assert load(None, {}).server.workers == 3
    (tmp_path / "latin1.toml").write_bytes(b"# caf\xe9\n")
    with pytest.raises(ConfigError, match=r"latin1\.toml: not UTF-8 text \(octet 5\)"):
        load("latin1.toml", {})


@pytest.mark.parametrize(("text", "seconds"), [("200ms", 0.2), ("30s", 30), ("5m", 300), ("72h", 259_200), ("90d", 7_776_000), ("1.5h", 5400), ("5 m", 300)])
def test_durations(text: str, seconds: float) -> None:
    assert read_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "5M", "5 minutes", "1e3s", "٥m", 5, None, True, ["5m"]])
def test_not_durations(text: object) -> None:
    with pytest.raises(ValueError, match="must be a duration"):
        read_duration(text)


@pytest.mark.parametrize(
    ("text", "octets"), [("25MB", 25_000_000), ("25MiB", 26_214_400), ("64kB", 64_000), ("1.5KB", 1500), (1234, 1234), ("0B", 0), ("1 GB", 10**9)]
)
def test_sizes(text: object, octets: int) -> None:
    assert read_size(text) == octets


@pytest.mark.parametrize("endpoint", [Endpoint("127.0.0.1", 25), Endpoint("::1", 0), Endpoint("localhost", 65_535)])
def test_an_endpoint_reads_what_it_prints(endpoint: Endpoint) -> None:
    assert read_endpoint(str(endpoint)) == endpoint
