"""Files a user owns, to frozen values: inventory, profiles, secrets. Errors name the file, the line and the fix."""
