# SPDX-License-Identifier: GPL-3.0-or-later
# Sourced by tests/run and tests/demo. need PURPOSE...: installs the packages of tests/packages that are
# missing, with sudo when not root. Does nothing, and needs no network, when nothing is missing.

need () {
  command -v dpkg-query >/dev/null 2>&1 || return 0
  missing=
  for purpose; do
    for package in $(awk -v purpose="$purpose" '$1 == purpose { print $2 }' "$tests/packages"); do
      case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
        installed) ;;
        *) missing="$missing $package" ;;
      esac
    done
  done
  [ -n "$missing" ] || return 0

  as_root=
  if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
      echo "Missing packages, and no sudo to install them with. As root: apt-get install$missing" >&2
      exit 2
    fi
    as_root="sudo"
  fi
  echo "Installing:$missing" >&2
  # Dovecot's package would start a mail server for everyone; the tests only need its programs.
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    policy=$(mktemp)
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    $as_root install -m 755 "$policy" /usr/sbin/policy-rc.d
    rm -f "$policy"
    trap '$as_root rm -f /usr/sbin/policy-rc.d' EXIT
    trap 'exit 130' HUP INT TERM
  fi
  $as_root apt-get update -q >&2 || echo "apt-get update failed; trying with the lists that are there" >&2
  if ! $as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get install -q -y --no-install-recommends $missing >&2; then
    echo "apt-get could not install:$missing" >&2
    exit 2
  fi
  case "$missing" in
    *dovecot*)
      if [ -d /run/systemd/system ]; then
        $as_root systemctl disable --quiet dovecot.service dovecot.socket 2>/dev/null || :
      fi ;;
  esac
  if [ -n "${policy-}" ]; then
    $as_root rm -f /usr/sbin/policy-rc.d
    trap - EXIT HUP INT TERM
  fi
}
