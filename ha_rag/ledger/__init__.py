"""What the replicas jointly believe: each one's view, the sync that keeps it in step, and Redis with its Lua."""
