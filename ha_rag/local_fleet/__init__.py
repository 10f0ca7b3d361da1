"""The fleet of `ha-rag up`: a Redis, N replicas and one port in front of them, as processes on this machine."""
