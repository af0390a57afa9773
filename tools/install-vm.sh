#!/usr/bin/env bash
# Installs what runs a Keep as a virtual machine here: QEMU (10 from bookworm-backports where the
# machine is a bookworm) and swtpm. Idempotent.
# The backports suite is added by copying the machine's own Debian entry: no address is written here.
set -euo pipefail
say() { echo "setting up: $*"; }
have() { command -v qemu-system-x86_64 >/dev/null && command -v swtpm >/dev/null; }
wanted=${ENARX_QEMU_AT_LEAST:-10}
enough() { [ "$(qemu-system-x86_64 --version | sed -n 's/^QEMU emulator version \([0-9]*\).*/\1/p')" -ge "$wanted" ]; }
have && enough && { say "QEMU and swtpm are there"; exit 0; }
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || {
    echo "enarx: cannot install QEMU and swtpm here" >&2
    echo "hint: install qemu-system-x86 and swtpm as root" >&2
    exit 3
}
. /etc/os-release
suite="${VERSION_CODENAME:?}-backports"
from=()
if [ "$VERSION_CODENAME" = bookworm ]; then
    entry=/etc/apt/sources.list.d/enarx-backports
    for file in /etc/apt/sources.list.d/*.sources; do
        [ -e "$file" ] && [ "$file" != "$entry.sources" ] || continue
        # The stanza whose suites name the release itself: that is where its backports are, too.
        stanza=$(awk -v RS= -v name="$VERSION_CODENAME" '$0 ~ "(^|\n)Suites:[^\n]*[ \t]" name "([ \t\n]|$)" {print; exit}' "$file")
        [ -n "$stanza" ] || continue
        sed "s/^Suites:.*/Suites: $suite/; /^#/d" <<<"$stanza" >"$entry.sources"
        break
    done
    if [ ! -e "$entry.sources" ] && [ -e /etc/apt/sources.list ]; then
        sed -n "s/^\(deb .*\) $VERSION_CODENAME \(.*\)/\1 $suite \2/p" /etc/apt/sources.list | head -n 1 >"$entry.list"
    fi
    from=(-t "$suite")
fi
say "package lists"
apt-get update -qq
say "QEMU and swtpm"
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${from[@]}" qemu-system-x86 >/dev/null
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends swtpm >/dev/null
have && enough && say "done"
