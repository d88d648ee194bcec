// Go's own transparency log (golang.org/x/mod/sumdb/tlog and note) over a log of ours. What it says goes to standard output;
// what it refuses goes to standard error, with exit code 1.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	must(err)
	return n
}

func hashes(lines []string) []tlog.Hash {
	found := []tlog.Hash{}
	for _, line := range lines {
		hash, err := tlog.ParseHash(line)
		must(err)
		found = append(found, hash)
	}
	return found
}

// checkpoint opens a signed checkpoint: its origin, and the tree.
func checkpoint(data []byte, vkey string) (string, tlog.Tree) {
	verifier, err := note.NewVerifier(vkey)
	must(err)
	opened, err := note.Open(data, note.VerifierList(verifier))
	must(err)
	lines := strings.Split(opened.Text, "\n")
	return lines[0], tlog.Tree{N: number(lines[1]), Hash: hashes(lines[2:3])[0]}
}

// tiles reads from the folder of a log. Go's paths name the height, which C2SP's do not.
type tiles struct{ folder string }

func (t tiles) Height() int                         { return 8 }
func (t tiles) SaveTiles(_ []tlog.Tile, _ [][]byte) {}
func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	found := [][]byte{}
	for _, tile := range wanted {
		data, err := read(t.folder, strings.Replace(tile.Path(), "tile/8/", "tile/", 1))
		if err != nil {
			return nil, err
		}
		found = append(found, data[:tile.W*tlog.HashSize])
	}
	return found, nil
}

func read(folder, path string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(folder, path))
	if err != nil {
		full, _, _ := strings.Cut(path, ".p/")
		return os.ReadFile(filepath.Join(folder, full))
	}
	return data, nil
}

// tree makes the tree again from the entry bundles.
func tree(folder string, size int64) ([]tlog.Hash, tlog.Hash) {
	stored := []tlog.Hash{}
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := []tlog.Hash{}
		for _, index := range indexes {
			found = append(found, stored[index])
		}
		return found, nil
	})
	for n := int64(0); n < size; {
		width := size - n
		if width > 256 {
			width = 256
		}
		tile := tlog.Tile{H: 8, L: 0, N: n / 256, W: int(width)}
		data, err := read(folder, strings.Replace(tile.Path(), "tile/8/0/", "tile/entries/", 1))
		must(err)
		for ; width > 0; width-- {
			length := int(binary.BigEndian.Uint16(data))
			more, err := tlog.StoredHashes(n, data[2:2+length], reader)
			must(err)
			stored = append(stored, more...)
			data = data[2+length:]
			n++
		}
	}
	root, err := tlog.TreeHash(size, reader)
	must(err)
	return stored, root
}

func show(found []tlog.Hash) {
	for _, hash := range found {
		fmt.Println(hash)
	}
}

func main() {
	arguments := os.Args[2:]
	switch os.Args[1] {
	case "log": // FOLDER VKEY: checkpoint, bundles and tiles say the same
		data, err := os.ReadFile(filepath.Join(arguments[0], "checkpoint"))
		must(err)
		origin, signed := checkpoint(data, arguments[1])
		stored, root := tree(arguments[0], signed.N)
		if root != signed.Hash {
			must(fmt.Errorf("the bundles have the root %v, signed was %v", root, signed.Hash))
		}
		reader := tlog.TileHashReader(signed, tiles{arguments[0]})
		indexes := []int64{}
		for index := range stored {
			indexes = append(indexes, int64(index))
		}
		if len(arguments) < 3 {
			found, err := reader.ReadHashes(indexes)
			must(err)
			for index := range stored {
				if found[index] != stored[index] {
					must(fmt.Errorf("the tiles hold another hash %d", index))
				}
			}
		}
		fmt.Println(origin, signed.N)
	case "prove": // FOLDER VKEY INDEX: Go's proof of an entry
		data, err := os.ReadFile(filepath.Join(arguments[0], "checkpoint"))
		must(err)
		_, signed := checkpoint(data, arguments[1])
		proof, err := tlog.ProveRecord(signed.N, number(arguments[2]), tlog.TileHashReader(signed, tiles{arguments[0]}))
		must(err)
		show(proof)
	case "grew": // FOLDER VKEY OLD: Go's proof that the log begins with so many
		data, err := os.ReadFile(filepath.Join(arguments[0], "checkpoint"))
		must(err)
		_, signed := checkpoint(data, arguments[1])
		proof, err := tlog.ProveTree(signed.N, number(arguments[2]), tlog.TileHashReader(signed, tiles{arguments[0]}))
		must(err)
		show(proof)
	case "entry": // PROOF-FILE VKEY ENTRY(base64): whether our proof shows this entry
		data, err := os.ReadFile(arguments[0])
		must(err)
		above, below, _ := strings.Cut(string(data), "\n\n")
		_, signed := checkpoint([]byte(below), arguments[1])
		lines := strings.Split(above, "\n")
		entry, err := base64.StdEncoding.DecodeString(arguments[2])
		must(err)
		index := number(strings.TrimPrefix(lines[1], "index "))
		must(tlog.CheckRecord(hashes(lines[2:]), signed.N, signed.Hash, index, tlog.RecordHash(entry)))
	case "consistent": // OLD ROOT NEW ROOT HASH...: whether our proof shows that the log grew
		roots := hashes([]string{arguments[1], arguments[3]})
		must(tlog.CheckTree(hashes(arguments[4:]), number(arguments[2]), roots[1], number(arguments[0]), roots[0]))
	}
}
