"""The program of the alerts, run by sh with tools of our own: what it keeps, sends, holds back, and never shows."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blueprint.render import alerts as render
from providers.host import alert

pytestmark = pytest.mark.thorough

# Keeps its configuration, the files that it was told to send and its arguments; fails as told. As curl 7.88.1 does, it
# writes out last, also after a failure, and without the end of a line.
CURL = """\
#!/bin/sh
n=$(/bin/date +%s%N)-$$
cat >"$STUB/sent/$n.config"
echo "$*" >"$STUB/sent/$n.argv"
for file in $(sed -n 's/^\\(upload-file\\|data-binary\\) = "@\\{0,1\\}\\([^"]*\\)"/\\2/p' "$STUB/sent/$n.config"); do
    cp "$file" "$STUB/sent/$n.part" && mv "$STUB/sent/$n.part" "$STUB/sent/$n.body"
done
ended() {
    [ -z "$3" ] || printf '%s\n' "$3" >&2
    ! grep -q '^write-out = "%{http_code}"' "$STUB/sent/$n.config" || printf %s "$2"
    exit "$1"
}
[ ! -e "$STUB/dies" ] || exit 137
if grep -q '^mail-from' "$STUB/sent/$n.config"; then kind=mail; else kind=webhook; fi
while [ -e "$STUB/$kind-hangs" ]; do sleep 0.05; done
if [ -e "$STUB/$kind-late" ]; then echo 20 >>"$STUB/seconds"; ended 28 000 'curl: (28) Operation timed out'; fi
if [ -s "$STUB/$kind-fails" ]; then ended 60 000 "$(cat "$STUB/$kind-fails")"; fi
if [ -e "$STUB/$kind-fails" ]; then ended 7 000 'curl: (7) Failed to connect to mail.example.org port 25'; fi
answer=$(cat "$STUB/answer" 2>/dev/null || echo 200)
case $answer in
    [45]??)
        refused="curl: (22) The requested URL returned error: $answer"
        ! grep -q '^fail$' "$STUB/sent/$n.config" || ended 22 "$answer" "$refused"
        ;;
esac
ended 0 "$answer" ''
"""
PLAIN = "#!/bin/sh\nexit 0\n"
TOKEN = 'to"ken\\of $(id)'


class Stub:
    """A node's files below a folder; ``run`` starts the program."""

    def __init__(self, folder: Path, **given: object) -> None:
        self.folder = folder
        for name in ("bin", "sent", "spool/new", "spool/held", "spool/queue", "spool/state"):
            (folder / name).mkdir(parents=True)
        for name, text in {"curl": CURL, "logger": PLAIN, "systemctl": "#!/bin/sh\nexit 1\n"}.items():
            self.tool(name, text)
        (folder / "token").write_text(f"{TOKEN}\n")
        self.script = folder / "alert"
        # The stand-ins come first; on a node the system's own do.
        self.script.write_text(alert.text().replace("PATH=/usr/sbin:", f"PATH={folder}/bin:/usr/sbin:"))
        self.configure(**given)

    def tool(self, name: str, text: str) -> None:
        (self.folder / "bin" / name).write_text(text)
        (self.folder / "bin" / name).chmod(0o755)

    def configure(self, **given: object) -> None:
        known: dict[str, object] = {
            "site": "squid-ha/lyon",
            "stack": "lyon",
            "channels": ("webhook",),
            "events": ("failover", "clock", "mirror_full"),
            "pause": 60,
            "remind": 86400,
            "webhook_url": "https://chat.example.org/hook?a=1&b=2",
            "webhook_token_file": str(self.folder / "token"),
            "mail_to": ("ops@example.org", "night@example.org"),
            "mail_from": "squid-ha@example.org",
            "mail_url": "smtp://mail.example.org:25",
        }
        wanted = render.Configuration(**{**known, **given})  # pyright: ignore[reportArgumentType]
        (self.folder / "alerts.conf").write_text(render.configuration(wanted))

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "STUB": str(self.folder),
            "SQUID_HA_ALERTS": str(self.folder / "alerts.conf"),
            "SQUID_HA_SPOOL": str(self.folder / "spool"),
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["sh", str(self.script), *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, timeout=50)

    @contextmanager
    def delivering(self, times: int = 1) -> Generator[None]:
        """Deliveries are under way at the same time; at the end they are whole."""
        command = ["sh", str(self.script), "deliver"]
        begun = [
            subprocess.Popen(command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for _ in range(times)
        ]
        try:
            yield
        finally:
            for hangs in self.folder.glob("*-hangs"):
                hangs.unlink()
            assert [each.wait(50) for each in begun] == [0] * times

    def sent(self, what: str = "body") -> list[str]:
        return [path.read_text() for path in sorted((self.folder / "sent").glob(f"*.{what}"))]

    def mails(self) -> list[str]:
        return [text for text in self.sent() if text.startswith("From:")]

    def posted(self) -> list[dict[str, str]]:
        return [json.loads(text) for text in self.sent() if text.startswith("{")]

    def waiting(self) -> list[str]:
        found = self.folder.glob("spool/[hnq]*/**/*")
        return sorted(str(path.relative_to(self.folder)) for path in found if path.is_file())


@pytest.fixture
def stub(tmp_path: Path) -> Stub:
    return Stub(tmp_path)


def test_what_is_raised_is_sent_once(stub):
    assert stub.run("raise", "failover", "from qsp-a to qsp-b").returncode == 0
    assert stub.run("deliver").returncode == 0
    assert stub.run("deliver").returncode == 0
    (message,) = stub.posted()
    assert message["event"] == "failover"
    assert message["site"] == "squid-ha/lyon"
    assert "from qsp-a to qsp-b" in message["text"]
    assert stub.waiting() == []


def test_raising_reaches_no_network(stub):
    stub.run("raise", "failover", "x")
    assert stub.sent("argv") == []


def test_the_token_stands_in_no_command_line_and_in_no_output(stub):
    stub.run("raise", "failover", "x")
    done = stub.run("deliver")
    (argv,), (config,) = stub.sent("argv"), stub.sent("config")
    assert "ken" not in argv
    assert "ken" not in done.stdout + done.stderr
    assert 'header = "Authorization: Bearer to\\"ken\\\\of $(id)"' in config
    assert 'url = "https://chat.example.org/hook?a=1&b=2"' in config


def test_an_address_that_is_a_secret_is_read_from_its_file(stub):
    (stub.folder / "url").write_text("https://chat.example.org/secret\n")
    stub.configure(webhook_url="", webhook_url_file=str(stub.folder / "url"), webhook_token_file="")
    stub.run("raise", "failover", "x")
    assert stub.run("deliver").returncode == 0
    (config,) = stub.sent("config")
    assert 'url = "https://chat.example.org/secret"' in config
    assert "Bearer" not in config


def test_a_storm_is_one_message_and_one_after_the_pause(stub):
    stub.run("raise", "failover", "first")
    stub.run("deliver")
    for number in range(30):
        stub.run("raise", "failover", f"again {number:02}")
        stub.run("deliver") if number % 10 == 0 else None
    assert len(stub.posted()) == 1, "the pause does not hold"
    long_ago = 0
    os.utime(stub.folder / "spool/state/sent-webhook-failover", (long_ago, long_ago))
    stub.run("deliver")
    _, second = stub.posted()
    assert "again 00" in second["text"]
    assert "again 19" in second["text"]
    assert "again 20" not in second["text"]
    assert "and 10 more" in second["text"]
    assert stub.waiting() == []


def test_another_kind_of_event_does_not_wait_for_the_first(stub):
    stub.run("raise", "failover", "x")
    stub.run("deliver")
    stub.run("raise", "clock", "y")
    stub.run("deliver")
    assert [each["event"] for each in stub.posted()] == ["failover", "clock"]


def test_what_cannot_be_sent_stays_and_is_tried_again(stub):
    (stub.folder / "webhook-fails").touch()
    stub.run("raise", "failover", "x")
    failed = stub.run("deliver")
    assert failed.returncode == 1
    assert "not told by webhook yet: curl: (7) Failed to connect" in failed.stderr
    assert len(stub.waiting()) == 1
    (stub.folder / "webhook-fails").unlink()
    assert stub.run("deliver").returncode == 0
    assert stub.waiting() == []


def test_a_webhook_that_answers_with_an_error_is_told_in_curls_words(stub):
    (stub.folder / "answer").write_text("404")
    assert stub.run("test").stdout == "webhook failed curl: (22) The requested URL returned error: 404\n"


@pytest.mark.parametrize("channel", ["mail", "webhook"])
def test_of_what_curl_says_at_length_its_own_sentence_is_told(stub, channel: str):
    stub.configure(channels=(channel,))
    sentence = "curl: (60) SSL certificate problem: unable to get local issuer certificate"
    more = "More details here: https://curl.se/docs/sslcerts.html\n\ncurl failed to verify the server"
    (stub.folder / f"{channel}-fails").write_text(f"Warning: an empty POST\n{sentence}\n{more}\n")
    assert stub.run("test").stdout == f"{channel} failed {sentence}\n"


@pytest.mark.parametrize("answer", ["302", "308", "000"])
def test_a_webhook_that_does_not_take_it_has_not_been_told(stub, answer: str):
    (stub.folder / "answer").write_text(answer)
    stub.run("raise", "failover", "x")
    failed = stub.run("deliver")
    assert failed.returncode == 1
    assert f"the webhook answered with {answer}" in failed.stderr
    assert len(stub.waiting()) == 1


def test_a_curl_that_dies_without_a_word_has_told_nobody(stub):
    stub.configure(channels=("mail", "webhook"))
    (stub.folder / "dies").touch()
    stub.run("raise", "failover", "x")
    failed = stub.run("deliver")
    assert failed.stderr.count("curl ended with 137") == 2
    assert len(stub.waiting()) == 2


@pytest.mark.parametrize("full", ["body-mail", "body-webhook", "json", "mail"])
def test_what_a_full_disk_cuts_short_is_not_sent(stub, full: str):
    stub.configure(channels=("mail", "webhook"))
    stub.tool(
        "mktemp",
        '#!/bin/sh\n[ "$1" = -d ] || exec /usr/bin/mktemp "$@"\n'
        f'folder=$(/usr/bin/mktemp -d) || exit 1\nln -s /dev/full "$folder/{full}"\necho "$folder"\n',
    )
    stub.run("raise", "failover", "x")
    failed = stub.run("deliver")
    assert "is its disk full?" in failed.stderr
    assert len(stub.waiting()) == 1


def test_a_channel_that_fails_neither_holds_up_nor_doubles_the_other(stub):
    stub.configure(channels=("mail", "webhook"))
    (stub.folder / "webhook-fails").touch()
    stub.run("raise", "failover", "x")
    for _ in range(3):
        stub.run("deliver")
    assert len(stub.mails()) == 1, "mail was sent again because the webhook failed"


def soon(true: Callable[[], object]) -> bool:
    """Whether it comes true while something else hangs."""
    until = time.monotonic() + 30
    while not true() and time.monotonic() < until:
        time.sleep(0.05)
    return bool(true())


@pytest.mark.parametrize(("hanging", "other"), [("mail", "posted"), ("webhook", "mails")])
def test_a_channel_that_hangs_holds_up_no_other(stub, hanging: str, other: str):
    stub.configure(channels=("mail", "webhook"))
    (stub.folder / f"{hanging}-hangs").touch()
    for event in ("failover", "clock"):
        stub.run("raise", event, event)
    with stub.delivering():
        assert soon(lambda: len(getattr(stub, other)()) == 2)
        stub.run("raise", "mirror_full", "meanwhile")
        with stub.delivering():
            assert soon(lambda: len(getattr(stub, other)()) == 3), "another delivery waits for it"
            assert (stub.folder / f"{hanging}-hangs").exists()
    assert (len(stub.mails()), len(stub.posted()), stub.waiting()) == (3, 3, [])


def test_deliveries_at_the_same_time_send_each_event_once(stub):
    stub.configure(channels=("mail", "webhook"))
    stub.run("raise", "failover", "x")
    with stub.delivering(4):
        pass
    assert (len(stub.mails()), len(stub.posted()), stub.waiting()) == (1, 1, [])


@pytest.mark.parametrize(("trouble", "tried"), [("late", 1), ("fails", 2)])
def test_a_channel_that_does_not_answer_is_not_asked_for_each_event(stub, trouble: str, tried: int):
    """One that refuses an event at once may take the next."""
    seconds = '#!/bin/sh\nn=$(/bin/date "$@")\n[ "$*" != +%s ] || n=$((n + $(cat "$STUB/seconds" | wc -l) * 20))\n'
    stub.tool("date", f'{seconds}echo "$n"\n')
    (stub.folder / "seconds").touch()
    (stub.folder / f"webhook-{trouble}").touch()
    for event in ("failover", "clock"):
        stub.run("raise", event, event)
    assert stub.run("deliver").returncode == 1
    assert len(stub.sent()) == tried
    assert len(stub.waiting()) == 2
    (stub.folder / f"webhook-{trouble}").unlink()
    assert stub.run("deliver").returncode == 0
    assert stub.waiting() == []


def test_after_a_day_it_is_given_up(stub):
    (stub.folder / "webhook-fails").touch()
    stub.run("raise", "failover", "x")
    stub.run("deliver")
    (left,) = stub.waiting()
    os.utime(stub.folder / left, (0, 0))
    assert "given up after a day: x" in stub.run("deliver").stderr
    assert stub.waiting() == []


def test_a_mail_has_its_headers_and_goes_to_everybody(stub):
    stub.configure(
        channels=("mail",), mail_tls="starttls", mail_user="alerts", mail_password_file=str(stub.folder / "token")
    )
    stub.run("raise", "failover", "from qsp-a to qsp-b")
    assert stub.run("deliver").returncode == 0
    (mail,), (config,), (argv,) = stub.sent(), stub.sent("config"), stub.sent("argv")
    head, _, body = mail.partition("\n\n")
    assert "To: ops@example.org, night@example.org" in head
    assert f"Subject: [squid-ha/lyon] failover on {os.uname().nodename}: from qsp-a to qsp-b" in head
    assert "from qsp-a to qsp-b" in body
    assert config.count("mail-rcpt = ") == 2
    assert "ssl-reqd" in config
    assert 'user = "alerts:to\\"ken\\\\of $(id)"' in config
    assert "ken" not in argv


def test_events_that_nobody_wants_are_dropped(stub):
    stub.run("raise", "fencing", "x")
    stub.run("deliver")
    assert stub.posted() == []
    assert stub.waiting() == []


def test_an_event_that_cannot_be_queued_is_kept_for_later(stub):
    stub.tool("head", "#!/bin/sh\nprintf part; echo 'No space left on device' >&2; exit 1\n")
    stub.run("raise", "failover", "x")
    assert "cannot queue failover" in stub.run("deliver").stderr
    (kept,) = stub.waiting()
    assert kept.startswith("spool/held/"), "left among the new ones, it starts the sending again at once"
    (stub.folder / "bin/head").unlink()
    stub.run("deliver")
    assert [each["text"].split(": ", 1)[1].split("\n")[0] for each in stub.posted()] == ["x"]
    assert stub.waiting() == []


def test_an_unknown_event_is_refused(stub):
    assert stub.run("raise", "../../etc/passwd", "x").returncode == 2
    assert stub.waiting() == []


def test_a_link_in_the_spool_is_not_followed(stub):
    (stub.folder / "spool/new/1-failover").symlink_to(stub.folder / "token")
    stub.run("deliver")
    assert stub.posted() == []
    assert (stub.folder / "token").exists()


def test_a_link_that_takes_the_place_of_an_event_while_it_is_looked_at_is_not_followed(stub):
    """Whoever may raise events may rename there too, and root reads."""
    stub.run("raise", "failover", "x")
    (event,) = (stub.folder / "spool/new").iterdir()
    swap = f"rm -f {event}; ln -s {stub.folder}/token {event}"
    stub.tool("head", f'#!/bin/sh\n{swap}\nexec {shutil.which("head")} "$@"\n')
    stub.run("deliver")
    stub.run("deliver")
    assert [each["text"].split(": ", 1)[1].split("\n")[0] for each in stub.posted()] == ["x"]


@pytest.mark.parametrize(
    "text",
    [
        "a" + 300 * "ä",
        "a stray\udcff byte",
        "a number\udcf4\udc90\udc80\udc80 beyond",
        "a longer\udcf8\udc88\udc80\udc80\udc80 one",
    ],
    ids=["cut within a character", "no UTF-8", "beyond Unicode", "of five bytes"],
)
def test_what_is_no_utf8_is_left_out_of_the_message(stub, text: str):
    stub.run("raise", "failover", text)
    stub.run("deliver")
    (message,) = stub.posted()
    assert text[:7] in message["text"]
    assert "ufffd" not in ascii(message["text"])


def test_without_iconv_a_message_is_ascii(stub):
    stub.script.write_text(stub.script.read_text().replace("command -v iconv", "command -v no-iconv"))
    stub.run("raise", "failover", "from Zürich, a stray\udcff byte")
    stub.run("deliver")
    (message,) = stub.posted()
    assert "from Zrich, a stray byte" in message["text"]


@given(text=st.text(max_size=120))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_text_arrives_as_valid_json(tmp_path_factory, text):
    text = text.replace("\0", "").encode(errors="ignore").decode()
    stub = Stub(tmp_path_factory.mktemp("alert"))
    assert stub.run("raise", "failover", f"begin {text} end").returncode == 0
    assert stub.run("deliver").returncode == 0
    (message,) = stub.posted()
    assert "begin" in message["text"]


# Looks


def looks(stub: Stub, times: int = 1) -> list[str]:
    for _ in range(times):
        assert stub.run("check").returncode == 0
    return [each["text"].split(": ", 1)[1].split("\n")[0] for each in stub.posted()]


def clock(stub: Stub, offset: str, state: str = "*", ago: str = "1000") -> None:
    stub.tool("systemctl", '#!/bin/sh\n[ "$3" = chrony.service ]\n')
    line = f"C0000201,192.0.2.1,3,1795,{offset},0,0,0,0,0,0,0,0,Normal"
    source = f"^,{state},192.0.2.1,2,6,377,{ago},0,0,0"
    stub.tool("chronyc", f"#!/bin/sh\ncase $* in *sources) echo '{source}' ;; *) echo '{line}' ;; esac\n")


def test_a_clock_that_is_off_is_told_at_the_second_look_once_and_when_it_is_right_again(stub):
    stub.configure(max_offset="0.5", pause=1)
    clock(stub, "0.1")
    assert looks(stub, 2) == []
    clock(stub, "-0.7")
    assert looks(stub) == [], "one look may be a slip"
    assert "is -0.7 s off (at most 0.5 s is right)" in looks(stub, 3)[0]
    os.utime(stub.folder / "spool/state/sent-webhook-clock", (0, 0))
    clock(stub, "0.0001")
    assert len(found := looks(stub)) == 2
    assert "well again" in found[1]


def test_what_is_still_wrong_is_told_again_after_a_day(stub):
    stub.configure(max_offset="0.5", pause=1)
    clock(stub, "3")
    looks(stub, 3)
    for name in ("clock-told", "sent-webhook-clock"):
        os.utime(stub.folder / "spool/state" / name, (0, 0))
    assert len(looks(stub, 2)) == 2


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("506 Cannot talk to daemon", "chrony does not answer (506 Cannot talk to daemon)"),
        ("00000000,,0,0.0,0,0,0,0,0,0,0,0,0,Not synchronised", "chrony follows no source"),
    ],
)
def test_a_clock_without_a_source_is_told(stub, answer, sentence):
    stub.configure(max_offset="0.5")
    clock(stub, "0")
    stub.tool("chronyc", f"#!/bin/sh\necho '{answer}'\n")
    assert sentence in looks(stub, 2)[0]


@pytest.mark.parametrize("source", [{"ago": "1025"}, {"state": "?"}])
def test_a_clock_whose_sources_have_become_silent_is_told_although_it_tracks_on(stub, source):
    stub.configure(max_offset="0.5")
    clock(stub, "0.0001", **source)
    assert "no source of chrony answers any more" in looks(stub, 2)[0]


def test_without_a_time_service_the_clock_is_told_of(stub):
    stub.configure(max_offset="0.5")
    assert "no time service runs" in looks(stub, 2)[0]


def mirror(stub: Stub, *, active: bool, full: int = 10, problem: str = "") -> None:
    stub.tool("ip", f"#!/bin/sh\n{'echo 2: eth0 inet 192.0.2.10/24' if active else 'exit 0'}\n")
    stub.tool("mountpoint", PLAIN)
    stub.tool("df", f"#!/bin/sh\necho 'Use%'; echo ' {full}%'\n")
    stub.tool("mirror-check", f"#!/bin/sh\necho '{problem}'\n")
    stub.configure(
        pause=1,
        events=("mirror_full", "mirror_unsynced"),
        virtual_ip="192.0.2.10",
        mount_point="/mnt/mirror",
        mirror_check=str(stub.folder / "bin/mirror-check"),
        mirror_resource="squid-ha",
    )


def test_a_full_mirror_is_told_from_the_limit_on_and_well_again_below_it(stub):
    mirror(stub, active=True, full=79)
    assert looks(stub, 2) == []
    mirror(stub, active=True, full=80)
    assert "/mnt/mirror is 80 % full" in looks(stub, 2)[0]
    mirror(stub, active=True, full=78)
    assert len(looks(stub, 2)) == 1, "a log around the limit makes a storm"
    os.utime(stub.folder / "spool/state/sent-webhook-mirror_full", (0, 0))
    mirror(stub, active=True, full=60)
    assert "well again: /mnt/mirror is 60 % full" in looks(stub, 1)[1]


def test_a_mirror_out_of_sync_is_told_by_the_active_node_alone(stub):
    mirror(stub, active=False, problem="the mirror is not in sync: WFConnection")
    assert looks(stub, 3) == []
    mirror(stub, active=True, problem="the mirror is not in sync: WFConnection")
    assert looks(stub, 2) == ["the mirror is not in sync: WFConnection"]


def test_a_mirror_that_does_not_answer_is_not_well(stub):
    mirror(stub, active=True, problem="the mirror is not in sync: WFConnection")
    looks(stub, 2)
    stub.tool("timeout", "#!/bin/sh\nexit 124\n")
    for name in ("mirror_unsynced-told", "sent-webhook-mirror_unsynced"):
        os.utime(stub.folder / "spool/state" / name, (0, 0))
    assert "no answer within 30 s" in looks(stub)[1]


def full_temporary_files(stub: Stub) -> None:
    """Nothing can be written in the folder of temporary files, nor is there anything to read."""
    stub.tool(
        "mktemp",
        '#!/bin/sh\n[ "$1" = -d ] || exec /usr/bin/mktemp "$@"\nfolder=$(/usr/bin/mktemp -d) || exit 1\n'
        'mkdir "$folder/mirror" "$folder/engine"\n'
        'for name in body-mail body-webhook mail json; do ln -s /dev/full "$folder/$name"; done\necho "$folder"\n',
    )


def test_a_full_disk_makes_no_mirror_well_again(stub):
    mirror(stub, active=True, problem="the mirror is not in sync: WFConnection")
    looks(stub, 2)
    full_temporary_files(stub)
    stub.run("check")
    assert stub.waiting() == []
    (stub.folder / "bin/mktemp").unlink()
    os.utime(stub.folder / "spool/state/sent-webhook-mirror_unsynced", (0, 0))
    assert looks(stub) == ["the mirror is not in sync: WFConnection"], "what was told is told anew"
    mirror(stub, active=True)
    assert "well again" in looks(stub)[1]


def test_a_check_of_the_mirror_that_dies_without_a_word_is_not_well(stub):
    mirror(stub, active=True)
    stub.tool("mirror-check", "#!/bin/sh\nexit 3\n")
    (told,) = looks(stub, 2)
    assert told.startswith(f"the mirror does not say how it is: {stub.folder}/bin/mirror-check ended with exit code 3")


def test_a_command_of_the_mirrors_that_hangs_holds_up_no_look(stub):
    mirror(stub, active=True)
    hangs = '#!/bin/sh\n(while [ ! -e "$STUB/let-go" ]; do sleep 0.1; done) &\necho it hangs\n'
    stub.tool("mirror-check", hangs)
    try:
        assert looks(stub, 2) == ["it hangs"]
    finally:
        (stub.folder / "let-go").touch()


def test_a_filesystem_of_the_mirrors_that_hangs_holds_up_no_look(stub):
    """It is neither full nor well again; what it leaves behind has the pipe open for as long as it hangs."""
    mirror(stub, active=True, full=90)
    looks(stub, 2)
    os.utime(stub.folder / "spool/state/sent-webhook-mirror_full", (0, 0))
    stub.tool("df", '#!/bin/sh\n(while [ ! -e "$STUB/let-go" ]; do sleep 0.1; done) 2>/dev/null &\nkill -9 $$\n')
    try:
        assert len(looks(stub, 2)) == 1
    finally:
        (stub.folder / "let-go").touch()
    mirror(stub, active=True, full=10)
    assert "well again: /mnt/mirror is 10 % full" in looks(stub)[1]


def test_it_is_well_again_only_once_that_could_be_kept(stub):
    mirror(stub, active=True, problem="the mirror is not in sync: WFConnection")
    looks(stub, 2)
    os.utime(stub.folder / "spool/state/sent-webhook-mirror_unsynced", (0, 0))
    mirror(stub, active=True)
    stub.tool("mktemp", '#!/bin/sh\n[ "$1" = -d ] && exec /usr/bin/mktemp "$@"\nexit 1\n')
    assert len(looks(stub)) == 1
    (stub.folder / "bin/mktemp").unlink()
    assert looks(stub)[1] == "well again: the mirror is up to date on both nodes"


def engine(stub: Stub, *lines: str, words: tuple[str, ...] = ("node=qsp-a", "service=ip-1")) -> None:
    """An engine's own program that finds these."""
    printed = "".join(f"echo '{line}'\n" for line in lines)
    stub.tool("engine-look", f'#!/bin/sh\necho "$@" >"$STUB/words"\n{printed}')
    stub.configure(
        pause=1,
        events=("failover", "split_brain"),
        engine_look=str(stub.folder / "bin/engine-look"),
        engine_words=words,
    )


def test_what_an_engine_finds_has_happened_is_told_at_once(stub):
    engine(stub, "failover now the service failed over: qsp-a was lost")
    assert looks(stub) == ["the service failed over: qsp-a was lost"]
    assert (stub.folder / "words").read_text().split() == [
        str(stub.folder / "spool/state"),
        "node=qsp-a",
        "service=ip-1",
    ]


def test_what_an_engine_finds_wrong_is_told_at_the_second_look_once_and_when_it_is_right_again(stub):
    engine(stub, "split_brain wrong in service on both")
    assert looks(stub) == [], "one look may be a slip"
    assert looks(stub, 3) == ["in service on both"]
    os.utime(stub.folder / "spool/state/sent-webhook-split_brain", (0, 0))
    engine(stub)
    assert len(looks(stub, 2)) == 1, "an engine that cannot tell says of nothing that it is well"
    engine(stub, "split_brain well in service on one")
    assert looks(stub)[1] == "well again: in service on one"


def test_what_an_engine_finds_outlives_a_full_disk(stub):
    """It is told once: the next look finds the service where it was."""
    engine(stub, "failover now qsp-a was lost")
    full_temporary_files(stub)
    assert "cannot write in" in stub.run("check").stderr
    (stub.folder / "bin/mktemp").unlink()
    engine(stub)
    assert looks(stub) == ["qsp-a was lost"]


def test_an_engines_program_that_is_not_there_holds_up_nothing(stub):
    engine(stub)
    (stub.folder / "bin/engine-look").unlink()
    stub.run("raise", "failover", "x")
    assert looks(stub) == ["x"]


# Test


def test_a_test_tells_of_every_channel_by_itself(stub):
    stub.configure(channels=("mail", "webhook"))
    (stub.folder / "mail-fails").touch()
    done = stub.run("test")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "mail failed curl: (7) Failed to connect to mail.example.org port 25",
        "webhook delivered",
    ]


def test_mail_without_a_relay_says_what_is_missing(stub):
    if Path("/usr/sbin/sendmail").exists():
        pytest.skip("this machine has a sendmail, which is not to be used")
    stub.configure(channels=("mail",), mail_url="")
    assert "declare alerts.mail.relay" in stub.run("test").stdout
