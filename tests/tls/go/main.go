// SPDX-License-Identifier: BSD-3-Clause

// tlspeer is a peer of our TLS engine made of Go's standard library, with NodePass's settings:
// TLS 1.3 at least, and either no verification (tls=1) or ServerName with a CA (tls=2).
//
//	tlspeer -serve PORT -cert FILE -key FILE -bytes N [-p256]
//	tlspeer -dial HOST:PORT -bytes N [-ca FILE -name NAME]
//
// It sends N bytes of a pattern, ends its direction, reads to the end and prints the SHA-256 of
// what came.
package main

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

type pattern struct{ at, end int64 }

func (p *pattern) Read(buf []byte) (int, error) {
	n := 0
	for n < len(buf) && p.at < p.end {
		buf[n] = byte(p.at%251 + 1)
		n++
		p.at++
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "tlspeer:", err)
		os.Exit(1)
	}
}

func exchange(conn *tls.Conn, count int64) {
	check(conn.SetDeadline(time.Now().Add(60 * time.Second)))
	check(conn.Handshake())
	sent := make(chan error, 1)
	go func() {
		_, err := io.Copy(conn, &pattern{0, count})
		if err == nil {
			err = conn.CloseWrite()
		}
		sent <- err
	}()
	digest := sha256.New()
	_, err := io.Copy(digest, conn)
	check(err)
	check(<-sent)
	conn.Close()
	fmt.Println(hex.EncodeToString(digest.Sum(nil)))
}

func serve(port, cert, key string, count int64, config *tls.Config) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	check(err)
	config.Certificates = []tls.Certificate{pair}
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	check(err)
	conn, err := listener.Accept()
	check(err)
	exchange(tls.Server(conn, config), count)
}

func dial(address, ca, name string, count int64, config *tls.Config) {
	config.InsecureSkipVerify = ca == ""
	if ca != "" {
		text, err := os.ReadFile(ca)
		check(err)
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM(text)
		config.ServerName = name
	}
	conn, err := net.Dial("tcp", address)
	check(err)
	exchange(tls.Client(conn, config), count)
}

func main() {
	port := flag.String("serve", "", "port to listen on")
	address := flag.String("dial", "", "address to connect to")
	cert := flag.String("cert", "", "certificate file")
	key := flag.String("key", "", "key file")
	ca := flag.String("ca", "", "CA file; none = no verification")
	name := flag.String("name", "", "server name")
	p256 := flag.Bool("p256", false, "only the group P-256")
	count := flag.Int64("bytes", 0, "bytes to send")
	flag.Parse()
	config := &tls.Config{MinVersion: tls.VersionTLS13}
	if *p256 {
		config.CurvePreferences = []tls.CurveID{tls.CurveP256}
	}
	if *port != "" {
		serve(*port, *cert, *key, *count, config)
	} else {
		dial(*address, *ca, *name, *count, config)
	}
}
