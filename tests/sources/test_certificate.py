"""Certificates: what is wrong with them, and from when until when they hold."""

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnet_otel.errors import ConfigurationError
from agentnet_otel.sources.certificate import read_chain

TLS = Path(__file__).resolve().parents[1] / "service" / "tls"
KEY = TLS / "key.pem"
BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def pem(name):
    """The text of a file."""
    return (TLS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "begins", "ends"),
    [
        ("expired.pem", datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)),
        ("early.pem", datetime(2040, 1, 1, tzinfo=UTC), datetime(2060, 1, 1, tzinfo=UTC)),
        ("certificate.pem", datetime(2026, 11, 25, 3, 5, 41, tzinfo=UTC), datetime(2126, 11, 1, 3, 5, 41, tzinfo=UTC)),
    ],
)
def test_dates(name, begins, ends):
    """Both ways in which they are written: two digits of a year until 2049, four from 2050 on."""
    (one,) = read_chain(TLS / name, KEY).certificates
    assert (one.begins, one.ends) == (begins, ends)


def test_what_is_said_when():
    """Nothing while it holds; its end a week before; both sides, with the date and the file."""
    chain = read_chain(TLS / "expired.pem", KEY)
    ends, second = datetime(2021, 1, 1, tzinfo=UTC), timedelta(seconds=1)
    assert chain.ends == ends
    assert chain.warnings(ends - timedelta(days=7)) == []
    (soon,) = chain.warnings(ends - timedelta(days=7) + second)
    assert soon.endswith("expired.pem expires at 2021-01-01 00:00:00 UTC")
    assert chain.trouble(ends) is None
    assert "expired.pem expired at 2021-01-01 00:00:00 UTC" in chain.trouble(ends + second)
    assert chain.trouble(datetime(2020, 1, 1, tzinfo=UTC)) is None
    assert "is not valid before 2020-01-01 00:00:00 UTC" in chain.trouble(datetime(2019, 12, 31, tzinfo=UTC))


def test_a_chain_is_looked_at_whole(tmp_path):
    """The first end counts, be it of another certificate than one's own; one that is of another chain is told."""
    both = tmp_path / "both.pem"
    both.write_text(pem("certificate.pem") + pem("expired.pem"), encoding="utf-8")
    chain = read_chain(both, KEY)
    assert chain.ends == datetime(2021, 1, 1, tzinfo=UTC)
    assert chain.trouble(datetime(2027, 1, 1, tzinfo=UTC)).startswith(f"certificate 2 of those in {both} expired")
    assert chain.remarks == ()  # both are localhost's, and signed by localhost
    other = base64.b64decode(pem("expired.pem").partition(BEGIN)[2].partition(END)[0]).replace(
        b"localhost", b"someother"
    )
    wrong = f"{BEGIN}\n{base64.encodebytes(other).decode()}{END}\n"
    both.write_text(pem("certificate.pem") + wrong, encoding="utf-8")
    (remark,) = read_chain(both, KEY).remarks
    assert remark.startswith(f"the certificate in {both} was not issued by the one behind it")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: "Größe\n".encode("latin-1") + text,
        bytes.strip,
    ],
)
def test_how_files_are_saved_does_not_matter(change, tmp_path):
    """Marks, ends of lines, words in any encoding between the blocks."""
    one = tmp_path / "one.pem"
    one.write_bytes(change(pem("expired.pem").encode()))
    assert len(read_chain(one, KEY).certificates) == 1


@pytest.mark.parametrize(
    ("certificate", "key", "told"),
    [
        ("certificate.pem", "other_key.pem", "the certificate is not that of the key"),
        ("certificate.pem", "locked_key.pem", "is encrypted; give one without a passphrase"),
        ("certificate.pem", "certificate.pem", "holds a certificate and no private key"),
        ("key.pem", "key.pem", "holds a key and no certificate"),
        ("../conftest.py", "key.pem", "holds no certificate"),
        ("certificate.pem", "../conftest.py", "holds no private key"),
        ("none.pem", "key.pem", "cannot be read"),
    ],
)
def test_what_tls_cannot_be_spoken_with(certificate, key, told):
    """Each is told by what it is."""
    with pytest.raises(ConfigurationError, match=told):
        read_chain(TLS / certificate, TLS / key)


@given(st.data())
def test_damage_is_one_sentence(tmp_path_factory, data):
    """Whatever stands in the file: it is read, or refused with a sentence."""
    text = pem("certificate.pem")
    at = data.draw(st.integers(0, len(text) - 1))
    one = tmp_path_factory.getbasetemp() / "damaged.pem"
    one.write_text(text[:at] + data.draw(st.sampled_from("A/=\n-x")) + text[at + 1 :], encoding="utf-8")
    told, chain = "", None
    try:
        chain = read_chain(one, KEY)
    except ConfigurationError as error:
        told = str(error)
    assert "damaged.pem" in told if chain is None else len(chain.certificates) == 1 or chain.remarks
