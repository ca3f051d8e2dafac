"""The dashboard apart from its pages: edge, frame, components, command line, processes."""
