namespace LookaheadKV.Jinja;

/// <summary>Escaping for HTML, which some templates ask for though their prompts are none.</summary>
internal static class Html
{
    /// <summary>The text with its five special characters escaped; text that is safe already stays.</summary>
    public static string Escaped(object? text) =>
        text is Markup markup
            ? markup.Text
            : ((string)text!).Replace("&", "&amp;").Replace(">", "&gt;").Replace("<", "&lt;").Replace("'", "&#39;").Replace("\"", "&#34;");
}
