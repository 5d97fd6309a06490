showTheme();
