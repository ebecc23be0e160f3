/** To be imported before sharp: libvips would put what is large into a temporary file, and the process that decodes can open none. */
process.env['VIPS_DISC_THRESHOLD'] = '16g';
