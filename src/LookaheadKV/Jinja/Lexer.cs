using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace LookaheadKV.Jinja;

/// <summary>What a token is.</summary>
internal enum TokenKind
{
    /// <summary>Text between tags.</summary>
    Data,
    VariableBegin,
    VariableEnd,
    BlockBegin,
    BlockEnd,
    Name,
    Text,
    Number,
    Sign,
    End,
}

/// <summary>A token.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Text">Its text; of a string what it says.</param>
/// <param name="Line">Its line, from 1.</param>
/// <param name="Value">Of a number its value.</param>
internal readonly record struct Token(TokenKind Kind, string Text, int Line, object? Value = null)
{
    public bool IsSign(string sign) => Kind == TokenKind.Sign && Text == sign;

    public bool IsName(string name) => Kind == TokenKind.Name && Text == name;

    public override string ToString() =>
        Kind switch
        {
            TokenKind.End => "the template's end",
            TokenKind.BlockEnd => "'%}'",
            TokenKind.VariableEnd => "'}}'",
            TokenKind.Data => "text",
            _ => $"'{Text}'",
        };
}

/// <summary>
/// Cuts a template into tokens. Tags are <c>{% %}</c>, <c>{{ }}</c> and <c>{# #}</c>; a <c>-</c> inside their ends takes away all white space
/// beyond, a <c>+</c> keeps it. As transformers sets it, a line break right behind a block or comment is dropped (trim_blocks), and so is
/// space before one at a line's start (lstrip_blocks). Line ends are <c>\n</c>, and the last of them is dropped.
/// </summary>
internal sealed partial class Lexer
{
    private readonly string _source;
    private readonly List<Token> _tokens = [];
    private int _at;
    private int _line = 1;
    private int _counted; // up to here line breaks are in _line
    private bool _atLineStart = true;

    private Lexer(string source)
    {
        source = source.Replace("\r\n", "\n").Replace('\r', '\n');
        _source = source.EndsWith('\n') ? source[..^1] : source;
    }

    /// <summary>The tokens, an <see cref="TokenKind.End"/> the last.</summary>
    public static IReadOnlyList<Token> Cut(string source)
    {
        var lexer = new Lexer(source);
        while (lexer._at < lexer._source.Length)
            lexer.TextAndTag();
        lexer.Add(TokenKind.End, "");
        return lexer._tokens;
    }

    private void TextAndTag()
    {
        var open = _at;
        do
        {
            open = _source.IndexOf('{', open);
        } while (open >= 0 && !(open + 1 < _source.Length && _source[open + 1] is '%' or '{' or '#') && ++open > 0);
        if (open < 0)
        {
            Data(_source[_at..]);
            _at = _source.Length;
            return;
        }
        var kind = _source[open + 1];
        var sign = open + 2 < _source.Length && _source[open + 2] is '-' or '+' ? _source[open + 2] : ' ';
        Data(Trimmed(_source[_at..open], sign, strips: kind != '{'));
        var raw = RawBegin().Match(_source, open);
        _at = raw.Success ? open + raw.Length : open + (sign == ' ' ? 2 : 3);
        if (raw.Success)
            Raw(raw.Value);
        else if (kind == '#')
            Comment();
        else
            Tag(isBlock: kind == '%');
    }

    private void Raw(string begin)
    {
        _atLineStart = begin[^1] == '\n';
        var end = RawEnd().Match(_source, _at);
        if (!end.Success)
            throw new JinjaException("{% raw %} is not closed by {% endraw %}", LineAt(_at));
        var sign = end.Groups["sign"].Value is [var given] ? given : ' ';
        Data(Trimmed(_source[_at..end.Index], sign, strips: true));
        Move(end.Index + end.Length);
    }

    private void Comment()
    {
        var line = LineAt(_at);
        var end = _source.IndexOf("#}", _at, StringComparison.Ordinal);
        if (end < 0)
            throw new JinjaException("the comment is not closed by '#}'", line);
        var sign = end > _at ? _source[end - 1] : ' ';
        _at = end + 2;
        End(sign, isBlock: true);
    }

    // The text before a tag without the white space that the tag takes away.
    private string Trimmed(string text, char sign, bool strips)
    {
        if (sign == '-')
            return Blank.StripEnd(text);
        if (sign == '+' || !strips)
            return text;
        var lineStart = text.LastIndexOf('\n') + 1;
        return (lineStart > 0 || _atLineStart) && Blank.IsBlank(text.AsSpan(lineStart)) ? text[..lineStart] : text;
    }

    private void Data(string text)
    {
        if (text.Length > 0)
            Add(TokenKind.Data, text);
    }

    private void Tag(bool isBlock)
    {
        Add(isBlock ? TokenKind.BlockBegin : TokenKind.VariableBegin, "");
        var open = new Stack<string>();
        while (_at < _source.Length)
        {
            if (open.Count == 0 && TagEnd(isBlock))
                return;
            var start = _at;
            if (Blank.IsSpace(_source[_at]))
                _at++;
            else if (Match(Float()) is { } real)
                Add(TokenKind.Number, real, double.Parse(real.Replace("_", ""), CultureInfo.InvariantCulture));
            else if (Match(Integer()) is { } integer)
                Add(
                    TokenKind.Number,
                    integer,
                    Numbers.ParseInteger(integer, 0) ?? throw new JinjaException("the number has too many digits", LineAt(start))
                );
            else if (Match(Name()) is { } name)
                Add(TokenKind.Name, IsIdentifier(name) ? name : throw new JinjaException($"'{name}' is no name", LineAt(start)));
            else if (Match(Text()) is { } text)
                Add(TokenKind.Text, Unescaped(text[1..^1], LineAt(start)));
            else if (Match(Sign()) is { } sign)
            {
                if (sign is "(" or "[" or "{")
                    open.Push(
                        sign is "(" ? ")"
                        : sign is "[" ? "]"
                        : "}"
                    );
                else if (sign is ")" or "]" or "}" && (open.Count == 0 || open.Pop() != sign))
                    throw new JinjaException($"unexpected '{sign}'", LineAt(start));
                Add(TokenKind.Sign, sign);
            }
            else
                throw new JinjaException(
                    $"unexpected character {Printing.Quoted(_source[_at..(_at + CodePoints.Offset(_source[_at..], 1))])}",
                    LineAt(_at)
                );
        }
    }

    private bool TagEnd(bool isBlock)
    {
        var mark = isBlock ? "%}" : "}}";
        var sign = _source[_at] is '-' or '+' ? _source[_at] : ' ';
        if (sign == '+' && !isBlock)
            return false;
        var at = sign == ' ' ? _at : _at + 1;
        if (string.CompareOrdinal(_source, at, mark, 0, 2) != 0)
            return false;
        Add(isBlock ? TokenKind.BlockEnd : TokenKind.VariableEnd, "");
        _at = at + 2;
        End(sign, isBlock);
        return true;
    }

    // What a closed tag takes away of the text behind it.
    private void End(char sign, bool isBlock)
    {
        var end = _at;
        if (sign == '-')
        {
            while (end < _source.Length && Blank.IsSpace(_source[end]))
                end++;
        }
        else if (isBlock && sign != '+' && end < _source.Length && _source[end] == '\n')
            end++;
        Move(end);
    }

    private void Move(int end)
    {
        _atLineStart = _source[end - 1] == '\n';
        _at = end;
    }

    private string? Match(Regex pattern)
    {
        var match = pattern.Match(_source, _at);
        if (!match.Success)
            return null;
        _at += match.Length;
        return match.Value;
    }

    private void Add(TokenKind kind, string text, object? value = null) =>
        _tokens.Add(new Token(kind, text, LineAt(Math.Max(_counted, _at - text.Length)), value));

    private int LineAt(int place)
    {
        for (; _counted < place; _counted++)
            _line += _source[_counted] == '\n' ? 1 : 0;
        return _line;
    }

    private static bool IsIdentifier(string name) => name[0] == '_' || Rune.IsLetter(Rune.GetRuneAt(name, 0));

    /// <summary>What a string literal says: Python's escapes.</summary>
    private static string Unescaped(string text, int line)
    {
        if (!text.Contains('\\'))
            return text;
        var written = new StringBuilder();
        for (var at = 0; at < text.Length; at++)
        {
            if (text[at] != '\\')
            {
                written.Append(text[at]);
                continue;
            }
            at++;
            var code = CodePoints.At(text, at);
            _ = text[at] switch
            {
                '\n' => written,
                '\\' or '\'' or '"' => written.Append(text[at]),
                'a' => written.Append('\a'),
                'b' => written.Append('\b'),
                'f' => written.Append('\f'),
                'n' => written.Append('\n'),
                'r' => written.Append('\r'),
                't' => written.Append('\t'),
                'v' => written.Append('\v'),
                'x' => written.Append(Coded(2)),
                'u' => written.Append(Coded(4)),
                'U' => written.Append(Coded(8)),
                >= '0' and <= '7' => written.Append(Octal()),
                'N' => throw new JinjaException("\\N{} in a string is not supported; write the character itself", line),
                // jinja2 escapes what is not ASCII before it reads the escapes, which a backslash before it undoes.
                > '\x7F' => written
                    .Append('\\')
                    .Append(
                        code < 0x100 ? $"x{code:x2}"
                        : code < 0x10000 ? $"u{code:x4}"
                        : $"U{code:x8}"
                    ),
                _ => written.Append('\\').Append(text[at]),
            };
            if (code > 0xFFFF)
                at++;

            string Coded(int digits)
            {
                var hex = text[(at + 1)..Math.Min(text.Length, at + 1 + digits)];
                if (hex.Length < digits || !hex.All(char.IsAsciiHexDigit))
                    throw new JinjaException($"\\{text[at]} in a string takes {digits} hexadecimal digits", line);
                at += digits;
                var point = long.Parse(hex, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
                return point is > 0x10FFFF or (>= 0xD800 and <= 0xDFFF)
                    ? throw new JinjaException($"\\{text[at - digits]}{hex} in a string is no character", line)
                    : char.ConvertFromUtf32((int)point);
            }

            string Octal()
            {
                var end = at;
                while (end < text.Length && end < at + 3 && text[end] is >= '0' and <= '7')
                    end++;
                var point = Convert.ToInt32(text[at..end], 8);
                at = end - 1;
                return char.ConvertFromUtf32(point);
            }
        }
        return written.ToString();
    }

    [GeneratedRegex(@"\G\{%[-+]?\s*raw\s*(?:-%\}\s*|%\})")]
    private static partial Regex RawBegin();

    [GeneratedRegex(@"\{%(?<sign>[-+]?)\s*endraw\s*(?:\+%\}|-%\}\s*|%\}\n?)")]
    private static partial Regex RawEnd();

    [GeneratedRegex(@"\G(?<!\.)(?:[0-9]+_)*[0-9]+(?:(?:\.(?:[0-9]+_)*[0-9]+)?[eE][+-]?(?:[0-9]+_)*[0-9]+|\.(?:[0-9]+_)*[0-9]+)")]
    private static partial Regex Float();

    [GeneratedRegex(@"\G(?:0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0[xX](?:_?[0-9a-fA-F])+|[1-9](?:_?[0-9])*|0(?:_?0)*)")]
    private static partial Regex Integer();

    [GeneratedRegex(@"\G\w+")]
    private static partial Regex Name();

    [GeneratedRegex("""\G(?:'[^'\\]*(?:\\[\s\S][^'\\]*)*'|"[^"\\]*(?:\\[\s\S][^"\\]*)*")""")]
    private static partial Regex Text();

    [GeneratedRegex(@"\G(?:\*\*|//|==|!=|>=|<=|[-+/*%~\[\](){}><=.:|,;])")]
    private static partial Regex Sign();
}
