"""A systemctl that keeps units in a folder, for scripts that are run for real; journalctl and sync beside it.

``UNITS/NAME`` is a unit file; ``STATE/NAME.{enabled,active,fails,moving}`` its state. ``STATE/NAME.running`` is what
the unit read from ``STATE/NAME.reads`` when it last started or reloaded.
"""

from pathlib import Path

SYSTEMCTL = r"""#!/bin/sh
S=@S@ U=@U@
verb=$1; shift
echo "$verb $*" >>$S/log
while case ${1-} in --) shift; false;; -*) true;; *) false;; esac; do shift; done
exists() { [ -f "$U/$1" ]; }
load() { [ ! -f "$S/$1.reads" ] || cat "$(cat "$S/$1.reads")" >"$S/$1.running" 2>/dev/null; }
up() {
  if [ -f "$S/$1.fails" ]; then echo failed >$S/$1.active; echo "Job for $1 failed." >&2; exit 1; fi
  load "$1"; echo active >$S/$1.active
}
case $verb in
daemon-reload) ls $U >$S/loaded; exit 0;;
show)
  for u; do
    if [ -f "$S/$u.masked" ]; then l=masked f=masked
    elif exists $u; then l=loaded f=$(cat $S/$u.enabled 2>/dev/null || echo disabled)
    else l=not-found f=; fi
    a=$(cat $S/$u.active 2>/dev/null || echo inactive)
    if [ -f $S/$u.moving ]; then a=activating; rm $S/$u.moving; fi
    need=no; [ -f "$S/$u.stale" ] && need=yes
    printf 'LoadState=%s\nActiveState=%s\nSubState=x\nUnitFileState=%s\nNeedDaemonReload=%s\n\n' $l $a "$f" $need
  done; exit 0;;
esac
for u; do
  exists $u || [ -f $S/$u.active ] || { echo "Unit $u not found." >&2; exit 5; }
  case $verb in
  enable) echo enabled >$S/$u.enabled;;
  disable) rm -f $S/$u.enabled;;
  mask) touch $S/$u.masked;;
  unmask) rm -f $S/$u.masked;;
  start) [ "$(cat $S/$u.active 2>/dev/null)" = active ] || up $u;;
  restart|reload) up $u;;
  stop) rm -f $S/$u.active $S/$u.running;;
  reset-failed) [ "$(cat $S/$u.active 2>/dev/null)" != failed ] || rm -f $S/$u.active;;
  *) echo "unknown verb $verb" >&2; exit 2;;
  esac
done
"""


class Systemd:
    def __init__(self, folder: Path) -> None:
        self.state, self.units, self.tools = (folder / name for name in ("state", "units", "tools"))
        for each in (self.state, self.units, self.tools):
            each.mkdir()
        for name, text in (
            ("systemctl", SYSTEMCTL),
            ("journalctl", "#!/bin/sh\necho it says why\n"),
            ("sync", "#!/bin/sh\n"),
        ):
            filled = text.replace("@S@", str(self.state)).replace("@U@", str(self.units))
            (self.tools / name).write_text(filled)
            (self.tools / name).chmod(0o755)

    def unit(self, name: str, *, enabled: bool = True, active: bool = True, reads: str = "") -> None:
        (self.units / name).write_text("[Unit]\n")
        if enabled:
            (self.state / f"{name}.enabled").write_text("enabled\n")
        if reads:
            self.reads(name, reads)
        if active:
            (self.state / f"{name}.active").write_text("active\n")
            if reads:
                (self.state / f"{name}.running").write_text(Path(reads).read_text())

    def reads(self, name: str, path: str) -> None:
        (self.state / f"{name}.reads").write_text(path)

    def flag(self, name: str, what: str) -> None:
        (self.state / f"{name}.{what}").touch()

    def running(self, name: str) -> str:
        path = self.state / f"{name}.running"
        return path.read_text() if path.exists() else ""

    def log(self) -> list[str]:
        path = self.state / "log"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [line.replace(" --", "").strip() for line in lines if not line.startswith("show")]
