#!/usr/bin/env bash
# Brings etcd for the tests of the journal: the `etcd` of PATH, or the one of Debian's package, extracted into a cache directory and not installed.
# Usage: ready (it is here) | bring (Debian's package, once) | program (prints its path)
set -euo pipefail
home=${ETCD_PEER_HOME:-$HOME/.cache/etcd-peer}

program() {
  if command -v etcd >/dev/null; then command -v etcd; return; fi
  [ -x "$home/usr/bin/etcd" ] && echo "$home/usr/bin/etcd"
}

bring() {
  if program >/dev/null; then return; fi
  mkdir -p "$home/deb"
  cd "$home/deb"
  # The list of packages may be missing or old.
  apt-get download -q etcd-server >/dev/null 2>&1 || { apt-get update -q >&2; apt-get download -q etcd-server >&2; }
  for deb in etcd-server_*.deb; do dpkg-deb -x "$deb" "$home"; done
  rm -rf "$home/deb"
  program >/dev/null
}

case ${1:-} in
  ready) program >/dev/null ;;
  bring) bring ;;
  program) program ;;
  *) sed -n 2,3p "$0" >&2; exit 2 ;;
esac
