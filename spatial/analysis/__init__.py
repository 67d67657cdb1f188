"""What is found out afterwards, from recordings, fields and geometries."""
