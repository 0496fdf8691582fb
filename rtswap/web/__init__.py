"""The studio: a page in the browser and an API behind it. The only room with asyncio."""
