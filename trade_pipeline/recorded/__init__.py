"""Files that somebody recorded, read into bars: layouts, times, names. Whether the bars are good is not asked."""
