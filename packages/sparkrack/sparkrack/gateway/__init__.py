"""The gateway's program on a rack: Debian's HAProxy under the official image's name."""
