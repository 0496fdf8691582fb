"""What commands show people: contact sheets, charts, folders of results."""
