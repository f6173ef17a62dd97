"""What a node measures: GPU, memory, links, disks, kernel events; known, absent or unread."""
