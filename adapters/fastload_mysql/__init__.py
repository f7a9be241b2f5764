"""MySQL and MariaDB for fastload: so far the kernel that decodes their rows."""
