#!/bin/sh
# Installs the Debian packages that `make test` needs. Without root, or without apt-get, it says which are missing.
set -eu

missing=""
need() { # package, then what shows that it is there: a program or a file
  package=$1
  shift
  for sign in "$@"; do
    for found in $sign; do
      case $found in
        /*) if [ -e "$found" ]; then return 0; fi ;;
        *) if command -v "$found" >/dev/null 2>&1; then return 0; fi ;;
      esac
    done
  done
  missing="$missing $package"
}

PATH=$PATH:/usr/sbin:/sbin
need postgresql "/usr/lib/postgresql/*/bin/initdb"
need redis-server redis-server
need orthanc Orthanc
need orthanc-dicomweb /usr/share/orthanc/plugins/libOrthancDicomWeb.so
need dicom3tools dciodvfy
need dcmtk dcmdump
need r-base-core Rscript
need r-cran-proc /usr/lib/R/site-library/pROC /usr/local/lib/R/site-library/pROC /usr/lib/R/library/pROC
need chromium chromium chromium-browser google-chrome
need gettext msgfmt
need fonts-noto-cjk "/usr/share/fonts/opentype/noto/NotoSansCJK*" "/usr/share/fonts/*/*/NotoSansCJK*"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "These Debian packages are missing for the tests:$missing" >&2
  echo "Install them as root: apt-get install --no-install-recommends$missing" >&2
  exit 1
fi

# Packages must not start their servers: the tests start their own. Debian asks this file before it starts one.
policy=/usr/sbin/policy-rc.d
kept=""
if [ -e "$policy" ]; then
  kept=$(mktemp)
  cp -p "$policy" "$kept"
fi
restore() {
  if [ -n "$kept" ]; then
    cp -p "$kept" "$policy"
    rm -f "$kept"
  else
    rm -f "$policy"
  fi
}
trap restore EXIT
trap 'exit 1' HUP INT TERM
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"

install() {
  # shellcheck disable=SC2086 # the names are words on purpose
  apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $missing </dev/null
}
echo "Installing for the tests:$missing"
install || {
  echo "apt-get failed; trying once more." >&2
  sleep 5
  install
}
