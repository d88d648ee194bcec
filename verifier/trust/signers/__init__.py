"""Those who can sign, by where their secret lives: a file, an ssh-agent, a PKCS#11 token."""
