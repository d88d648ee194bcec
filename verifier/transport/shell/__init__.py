"""Reading over a shell: the closed set of commands, and trees as listing, archive, listing. Nothing here touches a socket."""
