using System.Text;

namespace LookaheadKV.Evaluation.Metrics;

/// <summary>Reads tab-separated text: a field that opens with a double quote runs to the closing one, with "" for a quote inside.</summary>
internal static class TabSeparated
{
    /// <summary>The fields of every line; an empty line has none. A quote that is never closed runs to the end.</summary>
    public static List<string[]> Parse(string text)
    {
        var (lines, fields, field) = (new List<string[]>(), new List<string>(), new StringBuilder());
        var (opening, quoted) = (true, false);
        text = text.ReplaceLineEndings("\n");
        for (var at = 0; at < text.Length; at++)
        {
            var letter = text[at];
            if (quoted && letter == '"' && at + 1 < text.Length && text[at + 1] == '"')
                field.Append(text[++at]);
            else if (letter == '"' && (quoted || opening))
                (opening, quoted) = (false, !quoted);
            else if (!quoted && letter == '\t')
                EndField();
            else if (!quoted && letter == '\n')
                EndLine();
            else
            {
                field.Append(letter);
                opening = false;
            }
        }
        if (!opening || fields.Count > 0)
            EndLine();
        return lines;

        void EndField()
        {
            fields.Add(field.ToString());
            field.Clear();
            opening = true;
        }

        void EndLine()
        {
            if (!opening || fields.Count > 0)
                EndField();
            lines.Add([.. fields]);
            fields.Clear();
        }
    }
}
