"""Keys: what a public and a private key can do here, and the keyring in which ours and our peers' lie."""
