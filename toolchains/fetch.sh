#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# fetch.sh NAME DIR: puts the pinned source tree of NAME (inih, bearssl, lwip, musl) at DIR.
#
# What is cached and right is used without asking the network. Ways, in this order:
#   DEPS_DIR=<dir>   <dir>/NAME is an unpacked tree that you brought along
#   apt              the Debian source package, by name and version, in an apt directory of our own
#   URL              the upstream release archive
# Tarballs are pinned by sha256 (toolchains/deps.txt) and kept in build/deps/cache.
# DEPS_WAYS="apt url" chooses ways, DEPS_CACHE=<dir> moves the cache.
set -u
export LC_ALL=C

here=$(cd "$(dirname "$0")" && pwd)
name=${1:?usage: fetch.sh NAME DIR}
dir=${2:?usage: fetch.sh NAME DIR}
cache=${DEPS_CACHE:-$here/../build/deps/cache}
ways=${DEPS_WAYS:-apt url}

say() { echo "fetch $name: $*" >&2; }
die() { say "$*"; exit 1; }

# Ends with one line when what went wrong is the disk.
check_disk() {
    [ "$(df -Pk "$1" | awk 'NR == 2 { print $4 }')" -ge 512 ] ||
        die "the disk that holds ${1#"$PWD/"} is full: make room and run make again"
}

# Lines of deps.txt: NAME FILE SHA256 WAY WHERE
pins() { awk -v n="$name" -v w="$1" '$1 == n && $4 == w' "$here/deps.txt"; }

is_right() { # file sha256
    [ -f "$1" ] && [ "$(sha256sum "$1" | cut -d' ' -f1)" = "$2" ]
}

# A sources file of our own: the system's Debian entries as deb-src, with the suite of the pin.
write_sources() { # suite out
    local codename file files=()
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.{sources,list}; do
        [ -f "$file" ] && files+=("$file")
    done
    [ ${#files[@]} -gt 0 ] || return 1
    codename=$(. /etc/os-release 2>/dev/null && echo "${VERSION_CODENAME:-}")
    awk -v code="$codename" -v suite="$1" '
        function flush_block() {
            if (uris != "" && suites ~ ("(^| )" code "( |$)"))
                print "Types: deb-src\nURIs: " uris "\nSuites: " suite "\nComponents: main\n" \
                      (key != "" ? "Signed-By: " key "\n" : "")
            uris = suites = key = ""
        }
        FNR == 1 { flush_block() }
        FILENAME ~ /[.]sources$/ && /^[ \t]*$/ { flush_block(); next }
        FILENAME ~ /[.]sources$/ && /^URIs:/ { $1 = ""; uris = substr($0, 2) }
        FILENAME ~ /[.]sources$/ && /^Suites:/ { $1 = ""; suites = substr($0, 2) }
        FILENAME ~ /[.]sources$/ && /^Signed-By:/ { key = $2 }
        FILENAME !~ /[.]sources$/ && /^deb / {
            sub(/^deb +/, ""); key = ""
            if (match($0, /^\[[^]]*\] */)) {
                options = substr($0, 1, RLENGTH); $0 = substr($0, RLENGTH + 1)
                if (match(options, /signed-by=[^] ]*/))
                    key = substr(options, RSTART + 10, RLENGTH - 10)
            }
            uris = $1; suites = $2; flush_block()
        }
        END { flush_block() }
    ' "${files[@]}" > "$2"
    [ -s "$2" ]
}

fetch_apt() ( # package=version@suite: all tarballs of the package land in the cache
    local spec=${1%@*} suite=${1#*@} apt out
    command -v apt-get > /dev/null || { say "no apt-get here"; return 1; }
    apt=$(mktemp -d) || return 1
    trap 'rm -rf "$apt"' EXIT
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/empty"
    if ! write_sources "$suite" "$apt/own.sources"; then
        say "no Debian entry in the system's apt sources"
        return 1
    fi
    local options=(-qq -o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt/cache"
        -o Dir::Etc::SourceList="$apt/own.sources" -o Dir::Etc::SourceParts="$apt/empty"
        -o APT::Sandbox::User= -o Acquire::Languages=none -o Acquire::Retries=2
        -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30)
    say "apt source $spec ($suite)"
    if ! out=$( { apt-get "${options[@]}" update &&
            cd "$cache" && apt-get "${options[@]}" source --download-only "$spec"; } 2>&1); then
        say "apt: $(echo "$out" | grep -v '^W:' | tail -1)"
        say "apt can't give $spec any more (or there is no network); trying the next way"
        return 1
    fi
)

fetch_url() { # url file
    say "upstream archive"
    if command -v curl > /dev/null; then
        curl -fsSL --retry 2 --max-time 120 -o "$cache/$2.part" "$1"
    elif command -v wget > /dev/null; then
        wget -q -T 60 -O "$cache/$2.part" "$1"
    else
        say "neither curl nor wget is here"
        return 1
    fi && mv "$cache/$2.part" "$cache/$2" && return 0
    say "the upstream archive can't be reached"
    return 1
}

unpack() { # way: every pinned file of this way is in the cache and right
    local new="$dir.new" file
    rm -rf "$new" && mkdir -p "$new" || return 1
    while read -r _ file _; do
        case $file in
        *.debian.tar.*) mkdir -p "$new/.patches" &&
            tar -xf "$cache/$file" -C "$new/.patches" 2> /dev/null || return 1 ;;
        *) tar -xf "$cache/$file" -C "$new" --strip-components=1 2> /dev/null || return 1 ;;
        esac
    done < <(pins "$1")
    if [ -f "$new/.patches/debian/patches/series" ]; then
        while read -r file; do
            case $file in '' | '#'*) continue ;; esac
            patch -s -d "$new" -p1 < "$new/.patches/debian/patches/${file%% *}" || return 1
        done < "$new/.patches/debian/patches/series"
    fi
    rm -rf "$new/.patches" "$dir"
    pins "$1" | sha256sum | cut -d' ' -f1 > "$new/.pin"
    mv "$new" "$dir"
}

[ -f "$here/deps.txt" ] || die "toolchains/deps.txt is missing"
[ -n "$(pins apt)$(pins url)" ] || die "unknown name (toolchains/deps.txt lists them)"
for way in apt url; do
    if [ -f "$dir/.pin" ] &&
        [ "$(cat "$dir/.pin")" = "$(pins $way | sha256sum | cut -d' ' -f1)" ]; then
        touch "$dir/.pin"
        exit 0
    fi
done
mkdir -p "$cache" "$(dirname "$dir")"
cache=$(cd "$cache" && pwd)

if [ -n "${DEPS_DIR:-}" ]; then
    [ -d "$DEPS_DIR/$name" ] || die "DEPS_DIR is set, but $DEPS_DIR/$name is not there"
    rm -rf "$dir" && cp -r "$DEPS_DIR/$name" "$dir" || exit 1
    echo "DEPS_DIR" > "$dir/.pin"
    exit 0
fi

for way in $ways; do
    [ -n "$(pins "$way")" ] || continue
    while read -r _ file sum _ where; do
        is_right "$cache/$file" "$sum" && continue
        rm -f "$cache/$file"
        case $way in
        apt) fetch_apt "$where" ;;
        url) fetch_url "$where" "$file" ;;
        esac || { check_disk "$cache" && continue 2; }
        is_right "$cache/$file" "$sum" && continue
        say "$file has the wrong sha256 (want $sum); it is not used"
        rm -f "$cache/$file"
        continue 2
    done < <(pins "$way")
    unpack "$way" && exit 0
    check_disk "$(dirname "$dir")"
    say "the archive of way $way can't be unpacked"
done
die "no way worked; unpack it by hand and set DEPS_DIR=<dir with $name/>"
