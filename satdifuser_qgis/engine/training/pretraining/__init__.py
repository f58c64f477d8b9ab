"""How the embedded backbone is trained from unlabelled tiles: data, network, loop, scores and the shipped folder."""
