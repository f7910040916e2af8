"""SHA-256 of each record in kcat's `%R%s` output: a big-endian 32-bit length, then that many bytes."""
import hashlib
import struct
import sys

stream = sys.stdin.buffer
while prefix := stream.read(4):
    (length,) = struct.unpack(">i", prefix)
    print(hashlib.sha256(stream.read(length)).hexdigest())
