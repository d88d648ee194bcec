"""Reading over SFTP, for devices without a shell. Nothing here touches a socket: a channel comes from `ssh`."""
