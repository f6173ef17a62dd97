"""Tests in a real Chromium (Debian: `apt-get install chromium`)."""
