#!/usr/bin/env bash
# Looks at some pages of the built site (artifacts/site) in a headless Chromium: one that writes to the console fails; pictures go to docs/images.
# What is missing from a page is for build/check-site.fsx to find.
set -uo pipefail
cd "$(dirname "$0")/.."
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || {
    echo "no chromium is installed; install it (Debian: apt-get install chromium), or leave the pictures as they are" >&2
    exit 2
}
[ -f artifacts/site/index.html ] || {
    echo "artifacts/site/index.html is not there; run dotnet fsi build/site.fsx first" >&2
    exit 2
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

look() { # look PAGE HEIGHT [PICTURE]: the console must stay empty; three quarters of the size, so that figures further down are on the picture
    local messages
    timeout 60 "$browser" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update \
        --disable-sync --user-data-dir="$work/profile-$RANDOM" --hide-scrollbars --force-device-scale-factor=0.75 --enable-logging=stderr --window-size="1280,$2" \
        --screenshot="$work/shot.png" "file://$PWD/artifacts/site/$1" > "$work/log" 2>&1
    if ! [ -s "$work/shot.png" ]; then
        echo "FAILED: $1 was not drawn"
        failed=1
    elif messages=$(grep CONSOLE "$work/log"); then
        echo "FAILED: $1: $messages"
        failed=1
    else
        echo "$1: drawn, console empty"
        [ -z "${3:-}" ] || mv "$work/shot.png" "docs/images/$3"
    fi
    rm -f "$work/shot.png"
}

look index.html 1100 site.png
look reference/lookaheadkv-lookahead-lookaheadscore.html 900
look results/rivals.html 900
drawn=0
for notebook in artifacts/site/notebooks/[0-9]*.html; do
    name=$(basename "$notebook" .html)
    drawn=$((drawn + 1))
    if [ "$drawn" -le 2 ]; then
        look "notebooks/$name.html" 2500 "notebook-${name%%-*}.png"
    else
        look "notebooks/$name.html" 2500
    fi
done
exit "$failed"
