"""Our circuit and its peers in the same place: in front of one service, in real processes, sharing one Redis."""
