#!/bin/sh
# Builds the file system of the router image in DIRECTORY with Debian's tools alone, for machines without a container engine.
# usage: hack/image/router-rootfs.sh DIRECTORY    (as root; needs mmdebstrap)
set -eu
directory=${1:?usage: hack/image/router-rootfs.sh DIRECTORY}
install=$(dirname "$0")/install-router.sh
# Built in a temporary directory and then moved, so that an interrupted build is never mistaken for a finished one.
rm -rf "$directory.part"
mkdir -p "$(dirname "$directory")"
trap 'rm -rf "$directory.part"' EXIT
# minbase is what debian:12-slim is made of. The script is copied in, because a mount would have to be taken away again.
# shellcheck disable=SC2016 # mmdebstrap gives the directory to its hooks as $1.
mmdebstrap --quiet --mode=root --variant=minbase --format=directory --aptopt='APT::Sandbox::User "root"' \
  --customize-hook="cp '$install' \"\$1/install-router.sh\"" \
  --customize-hook='chroot "$1" sh /install-router.sh' \
  --customize-hook='rm "$1/install-router.sh"' \
  bookworm "$directory.part"
rm -rf "$directory"
mv "$directory.part" "$directory"
