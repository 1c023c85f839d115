#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Turns Wycheproof's JSON (C2SP, schema 1) into the compact tables in tests/tls/vectors.

Usage: wycheproof.py FOLDER_OF_JSON
A table: comment lines, a line "fields NAME ...", then a line a case: v (valid), i (invalid) or a
(either is right), and its fields in hex; "-" is empty, "=" is the field of the line before.
"""
import json
import os
import sys

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "vectors")


def aead(group, test):
    if group["ivSize"] != 96 or group["tagSize"] != 128 or group["keySize"] == 192:
        return None
    return [test[k] for k in ("key", "iv", "aad", "msg", "ct", "tag")]


def scalar(text):
    """A private key as 32 bytes."""
    return f"{int(text, 16):064x}"


def xdh(_, test):
    return [test["public"], test["private"], test["shared"]]


def ecdh(_, test):
    return [test["public"], scalar(test["private"]), test["shared"]]


def ecdsa(group, test):
    return [group["publicKey"]["uncompressed"], test["msg"], test["sig"]]


def rsa(group, test):
    key = group["publicKey"]
    return [even(key["modulus"]), even(key["publicExponent"]), test["msg"], test["sig"]]


def even(text):
    return "0" * (len(text) % 2) + text


def mac(group, test):
    return [test["key"], test["msg"], test["tag"]]


def hkdf(_, test):
    return [test["ikm"], test["salt"], test["info"], f"{test['size']:04x}", test["okm"]]


AEAD = "key iv aad msg ct tag"
RSA = "modulus exponent msg sig"
TABLES = [
    ("aes_gcm", "aes_gcm_test", AEAD, aead),
    ("chacha20_poly1305", "chacha20_poly1305_test", AEAD, aead),
    ("x25519", "x25519_test", "public private shared", xdh),
    ("ecdh_p256", "ecdh_secp256r1_ecpoint_test", "public private shared", ecdh),
    ("ecdsa_p256", "ecdsa_secp256r1_sha256_test", "public msg sig", ecdsa),
    ("ecdsa_p384", "ecdsa_secp384r1_sha384_test", "public msg sig", ecdsa),
    ("rsa_pss_2048_sha256", "rsa_pss_2048_sha256_mgf1_32_test", RSA, rsa),
    ("rsa_pss_2048_sha384", "rsa_pss_2048_sha384_mgf1_48_test", RSA, rsa),
    ("rsa_pss_4096_sha512", "rsa_pss_4096_sha512_mgf1_64_test", RSA, rsa),
    ("rsa_pkcs1_2048_sha256", "rsa_signature_2048_sha256_test", RSA, rsa),
    ("rsa_pkcs1_4096_sha512", "rsa_signature_4096_sha512_test", RSA, rsa),
    ("hmac_sha256", "hmac_sha256_test", "key msg tag", mac),
    ("hmac_sha384", "hmac_sha384_test", "key msg tag", mac),
    ("hkdf_sha256", "hkdf_sha256_test", "ikm salt info size okm", hkdf),
    ("hkdf_sha384", "hkdf_sha384_test", "ikm salt info size okm", hkdf),
]


def lines(source, fields, pick):
    yield f"# Facts of Wycheproof ({source}), made by tests/tls/wycheproof.py"
    yield "fields " + fields
    before = [None] * len(fields.split())
    comment = ""
    with open(source, encoding="utf-8") as f:
        data = json.load(f)
    for group in data["testGroups"]:
        for test in group["tests"]:
            row = pick(group, test)
            if row is None:
                continue
            if test["comment"] != comment:
                comment = test["comment"]
                if comment:
                    yield "# " + comment
            shown = ["=" if new == old and len(new) > 2 else new or "-"
                     for new, old in zip(row, before)]
            before = row
            yield test["result"][0] + " " + " ".join(shown)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    os.makedirs(OUT, exist_ok=True)
    os.chdir(sys.argv[1])
    for name, source, fields, pick in TABLES:
        text = "\n".join(lines(source + ".json", fields, pick)) + "\n"
        with open(os.path.join(OUT, name + ".txt"), "w", encoding="ascii") as f:
            f.write(text)
        print(f"{name:<24} {text.count(chr(10))} lines, {len(text)} bytes")


if __name__ == "__main__":
    main()
