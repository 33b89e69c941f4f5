"""What pages are drawn with: frame, words, colours, components. Only this and the pages know Streamlit."""
