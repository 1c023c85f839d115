#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# certs.sh DIR: makes the keys and certificates that the TLS tests use, with openssl, once (a few
# seconds; kept until this script changes). Nothing here is secret or reused anywhere.
set -eu
dir=${1:?usage: certs.sh DIR}
stamp=$(sha256sum "$0" | cut -d' ' -f1)
[ "$(cat "$dir/stamp" 2> /dev/null)" = "$stamp" ] && exit 0
mkdir -p "$dir" "$dir.new"
exec 9> "$dir.lock" && flock 9
[ "$(cat "$dir/stamp" 2> /dev/null)" = "$stamp" ] && exit 0
out=$dir.new
rm -rf "$out" && mkdir -p "$out"

quiet() { "$@" > "$out/log" 2>&1 || { cat "$out/log" >&2; exit 1; }; }
ec() { quiet openssl genpkey -algorithm EC -pkeyopt "ec_paramgen_curve:$2" -out "$out/$1.key"; }
rsa() { quiet openssl genpkey -algorithm RSA -pkeyopt "rsa_keygen_bits:$2" -out "$out/$1.key"; }

# self NAME SUBJECT EXTENSIONS [ARGS]: signed by itself
self() {
    local name=$1 subject=$2 extensions=$3
    shift 3
    printf '%b\n' "$extensions" > "$out/ext"
    quiet openssl req -new -key "$out/$name.key" -subj "$subject" -out "$out/csr"
    quiet openssl x509 -req -in "$out/csr" -signkey "$out/$name.key" -days 3650 \
        -extfile "$out/ext" -out "$out/$name.crt" "$@"
}
# sign NAME ISSUER SUBJECT EXTENSIONS [ARGS]: NAME.key's certificate, issued by ISSUER
sign() {
    local name=$1 issuer=$2 subject=$3 extensions=$4
    shift 4
    printf '%b\n' "$extensions" > "$out/ext"
    quiet openssl req -new -key "$out/$name.key" -subj "$subject" -out "$out/csr"
    quiet openssl x509 -req -in "$out/csr" -CA "$out/$issuer.crt" -CAkey "$out/$issuer.key" \
        -set_serial "0x$(openssl rand -hex 8)" -days 365 -extfile "$out/ext" \
        -out "$out/$name.crt" "$@"
}
# again NEW OLD: another certificate for the same key
again() { cp "$out/$2.key" "$out/$1.key"; }

ca='basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign'
usage='keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE'
names='subjectAltName=DNS:server.example.com,DNS:*.wild.example.com,IP:192.0.2.1,IP:2001:db8::1'
leaf="$usage\n$names"

ec root P-256
self root '/O=Test/CN=Test Root' "$ca"
ec twin P-256 # another root with the same name
self twin '/O=Test/CN=Test Root' "$ca"
rsa rsaroot 2048
self rsaroot '/CN=RSA Root' "$ca"
ec stranger P-256
self stranger '/CN=Stranger' "$ca"
ec v1root P-256
openssl req -new -key "$out/v1root.key" -subj '/CN=Old Root' -out "$out/csr"
quiet openssl x509 -req -in "$out/csr" -signkey "$out/v1root.key" -days 3650 -out "$out/v1root.crt"

ec shortroot P-256
self shortroot '/CN=Short Root' "$ca" -days 30
ec oldroot P-256 # its signature of itself does not count
self oldroot '/CN=SHA-1 Root' "$ca" -sha1
ec longroot P-256
part=$(printf 'x%.0s' {1..60})
self longroot "$(printf "/OU=$part%s" 1 2 3 4 5 6 7 8 9)/CN=Long Root" "$ca"

ec inter P-384
sign inter root '/CN=Test Intermediate' "$ca" -sha384
ec inter0 P-256
sign inter0 root '/CN=No More Levels' 'basicConstraints=critical,CA:TRUE,pathlen:0'
ec inter1 P-256
sign inter1 inter0 '/CN=One Too Many' "$ca"
ec inter2 P-384 # the name of inter, another key
sign inter2 root '/CN=Test Intermediate' "$ca" -sha384
ec nokeysign P-256
sign nokeysign root '/CN=Signs No Certificates' \
    'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,digitalSignature'
ec noca P-256
sign noca root '/CN=Not A CA' 'basicConstraints=critical,CA:FALSE'

for name in mail web limits; do ec $name P-256; done
sign mail root '/CN=For Mail' "$ca\nextendedKeyUsage=emailProtection"
sign web root '/CN=For The Web' "$ca\nextendedKeyUsage=serverAuth,clientAuth"
sign limits root '/CN=For Others' "$ca\nnameConstraints=permitted;DNS:example.org"
for name in root0 root1 rootsign rootmail rootlimits; do ec $name P-256; done
self root0 '/CN=Root Without Levels' "${ca/CA:TRUE/CA:TRUE,pathlen:0}"
self root1 '/CN=Root With One Level' "${ca/CA:TRUE/CA:TRUE,pathlen:1}"
self rootsign '/CN=Root That Signs Nothing' "${ca/keyCertSign/digitalSignature}"
self rootmail '/CN=Root For Mail' "$ca\nextendedKeyUsage=emailProtection"
self rootlimits '/CN=Root For Others' "$ca\nnameConstraints=permitted;DNS:example.org"
for level in 0 1; do
    ec under$level P-256
    sign under$level root$level "/CN=Under Root $level" "$ca"
done
ec ca521 P-521
sign ca521 root '/CN=Unusual CA' "$ca"

ec p256 P-256
sign p256 inter '/CN=server.example.com' "$leaf"
ec p384 P-384
sign p384 root '/CN=server.example.com' "$leaf" -sha384
for bits in 2048 2050 3072 4096; do
    rsa "rsa$bits" $bits
    sign "rsa$bits" rsaroot '/CN=server.example.com' "$leaf" -sha512
done
for issuer in shortroot oldroot longroot nokeysign mail web limits root0 rootsign rootmail \
    rootlimits under0 under1 ca521; do
    again "by$issuer" p256
    sign "by$issuer" $issuer '/CN=server.example.com' "$leaf"
done
again v1leaf p256
sign v1leaf v1root '/CN=server.example.com' "$leaf"
again cnonly p256
sign cnonly root '/CN=server.example.com' "$usage"
again clientonly p256
sign clientonly root '/CN=server.example.com' "extendedKeyUsage=clientAuth\n$names"
again anyusage p256
sign anyusage root '/CN=server.example.com' "extendedKeyUsage=anyExtendedKeyUsage\n$names"
again nousage p256
sign nousage root '/CN=server.example.com' "$names"
again nosign p256
sign nosign root '/CN=server.example.com' "keyUsage=critical,keyEncipherment\n$names"
again critical p256
sign critical root '/CN=server.example.com' "$leaf\n1.2.3.4=critical,DER:0500"
again sha1 p256
sign sha1 root '/CN=server.example.com' "$leaf" -sha1
rsa weak 1024
sign weak root '/CN=server.example.com' "$leaf"
again bynoca p256
sign bynoca noca '/CN=server.example.com' "$leaf"
again deep p256
sign deep inter1 '/CN=server.example.com' "$leaf"
ec self P-256
self self '/CN=server.example.com' "$leaf"
again byself p256
sign byself self '/CN=server.example.com' "$leaf"
again many p256
crowd=$(printf 'DNS:n%s.example.com,' {1..300})DNS:last.example.com
sign many root '/CN=many' "$usage\nsubjectAltName=$crowd"

# other forms of keys
for name in p256 p384; do
    quiet openssl ec -in "$out/$name.key" -out "$out/$name.sec1.key"
done
for bits in 2048 4096; do
    quiet openssl rsa -in "$out/rsa$bits.key" -traditional -out "$out/rsa$bits.pkcs1.key"
done
quiet openssl ecparam -name prime256v1 -out "$out/params"
cat "$out/params" "$out/p256.sec1.key" > "$out/params.key"
quiet openssl pkcs8 -topk8 -in "$out/p256.key" -passout pass:x -out "$out/encrypted.key"
quiet openssl rsa -in "$out/rsa2048.key" -traditional -aes128 -passout pass:x \
    -out "$out/encrypted1.key"
ec p521 P-521
ec k256 secp256k1
quiet openssl genpkey -algorithm ed25519 -out "$out/ed25519.key"
rsa rsa4104 4104
rsa rsa4608 4608

cat "$out/p256.crt" "$out/inter.crt" > "$out/chain.crt"
cat "$out/inter.crt" "$out/p256.crt" > "$out/disorder.crt"
cat "$out/byca521.crt" "$out/ca521.crt" > "$out/chain521.crt"
cat "$out/p256.crt" "$out/root.crt" > "$out/gap.crt"
cat "$out/p256.key" "$out/chain.crt" > "$out/both.pem"
cat "$out/many.crt" "$out/many.key" > "$out/manyfirst.pem"
cat "$out/byoldroot.crt" "$out/oldroot.crt" > "$out/oldchain.crt"
head -c 100 "$out/p256.key" > "$out/cut.key"
sed '2s/./?/9' "$out/p256.key" > "$out/damaged.key"
{ printf -- '-----BEGIN CERTIFICATE-----\nMAUCAQECAQE=\n-----END CERTIFICATE-----\n'
    cat "$out/p256.key"; } > "$out/nocert.pem"
cat "$out/stranger.crt" "$out/twin.crt" "$out/rsaroot.crt" "$out/root.crt" "$out/v1root.crt" \
    > "$out/bundle.crt"
rm -f "$out/ext" "$out/csr" "$out/log" "$out/params"
echo "$stamp" > "$out/stamp"
rm -rf "$dir" && mv "$out" "$dir"
