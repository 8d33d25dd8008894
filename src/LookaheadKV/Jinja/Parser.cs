namespace LookaheadKV.Jinja;

/// <summary>
/// Tokens to statements. The grammar ([ ] may be missing, { } may be repeated; names in lower case are tokens, see <see cref="Lexer"/>):
/// <code>
/// template    = { data | "{{" tuple "}}" | "{%" statement "%}" }
/// statement   = "if" test body { "elif" test body } [ "else" body ] "endif"
///             | "for" target "in" test [ "if" expression ] [ "recursive" ] body [ "else" body ] "endfor" | "break" | "continue"
///             | "set" target "=" tuple | "set" target [ filters ] body "endset"
///             | "with" [ name "=" expression { "," name "=" expression } ] body "endwith"
///             | "macro" name parameters body "endmacro" | "call" [ parameters ] call body "endcall"
///             | "filter" filter filters body "endfilter" | "generation" body "endgeneration" | "print" expression { "," expression }
/// body        = "%}" template "{%"
/// parameters  = "(" [ name [ "=" expression ] { "," name [ "=" expression ] } ] ")"
/// target      = name | name "." name | target { "," target } | "(" target ")"      (the second in "set" alone)
/// tuple       = expression [ "," { expression "," } [ expression ] ]
/// test        = or { "," or }
/// expression  = or { "if" or [ "else" expression ] }
/// or          = and { "or" and }
/// and         = not { "and" not }
/// not         = "not" not | comparison
/// comparison  = sum { ( "==" | "!=" | "&lt;" | "&lt;=" | "&gt;" | "&gt;=" | [ "not" ] "in" ) sum }
/// sum         = concat { ( "+" | "-" ) concat }
/// concat      = product { "~" product }
/// product     = power { ( "*" | "/" | "//" | "%" ) power }
/// power       = unary { "**" unary }                                                  (from the left, as jinja2 has it)
/// unary       = ( "-" | "+" ) unary postfixes filters | primary postfixes filters
/// filters     = { "|" filter | "is" [ "not" ] name [ arguments | primary postfixes ] | arguments }
/// filter      = name [ arguments ]
/// postfixes   = { "." ( name | integer ) | "[" expression "]" | "[" [ expression ] ":" [ expression ] [ ":" [ expression ] ] "]" | arguments }
/// arguments   = "(" { expression "," } { name "=" expression "," } [ "*" expression "," ] [ "**" expression ] ")"
/// primary     = name | number | string { string } | "(" [ tuple ] ")" | "[" [ expression { "," expression } ] "]"
///             | "{" [ expression ":" expression { "," expression ":" expression } ] "}" | "true" | "false" | "none"
/// </code>
/// What a minus sign stands before has no filters of its own: <c>-x|abs</c> is the absolute value of -x.
/// </summary>
internal sealed class Parser : ExpressionParser
{
    // Tags that jinja2 knows and a prompt has no use for: they load other templates, or escape HTML.
    private static readonly string[] NotHere = ["autoescape", "block", "extends", "from", "import", "include"];

    private int _loops;
    private bool _canBreak;

    private Parser(IReadOnlyList<Token> tokens)
        : base(tokens) { }

    /// <summary>A template's statements.</summary>
    public static Body Parse(string source)
    {
        var parser = new Parser(Lexer.Cut(source));
        return new Body(parser.Statements([]));
    }

    /// <summary>Statements up to one of the tags in <paramref name="ends"/>, whose name is then the current token; they begin on <paramref name="line"/>.</summary>
    private List<Statement> Statements(string[] ends, int line = 1)
    {
        var statements = new List<Statement>();
        while (true)
        {
            var token = Next();
            switch (token.Kind)
            {
                case TokenKind.Data:
                    statements.Add(new TextOutput(token.Text, token.Line));
                    break;
                case TokenKind.VariableBegin:
                    statements.Add(new Print(Tuple(), token.Line));
                    if (Next() is { Kind: not TokenKind.VariableEnd } wrong)
                        throw new JinjaException($"expected '}}}}', found {wrong}", wrong.Line);
                    break;
                case TokenKind.BlockBegin:
                    if (Current.Kind == TokenKind.Name && ends.Contains(Current.Text))
                        return statements;
                    statements.AddRange(Nested(Statement));
                    EndTag();
                    break;
                default:
                    return ends.Length == 0
                        ? statements
                        : throw new JinjaException(
                            $"the block that begins here is not closed by {string.Join(" or ", ends.Select(static e => $"{{% {e} %}}"))}",
                            line
                        );
            }
        }
    }

    private void EndTag()
    {
        if (Next() is { Kind: not TokenKind.BlockEnd } wrong)
            throw new JinjaException($"expected '%}}', found {wrong}", wrong.Line);
    }

    private IEnumerable<Statement> Statement()
    {
        var token = Current.Kind == TokenKind.Name ? Next() : throw Expected("the name of a tag");
        var line = token.Line;
        return token.Text switch
        {
            "if" => [If(line)],
            "for" => [For(line)],
            "break" => [Breaking(new Break(line))],
            "continue" => [Breaking(new Continue(line))],
            "set" => [Set(line)],
            "with" => [With(line)],
            "macro" => [new MacroOf(TargetName(), Code(Parameters(), "endmacro"), line)],
            "call" => [CallBlock(line)],
            "filter" => [new FilterBlock(Filter(null, named: true), OwnBody("endfilter"), line)],
            "generation" => [new Scoped(Code([], "endgeneration"), line)],
            "print" => Prints(line),
            _ when NotHere.Contains(token.Text) => throw new JinjaException($"the tag '{token.Text}' is not supported", line),
            _ => throw new JinjaException($"unknown tag '{token.Text}'", line),
        };
    }

    private If If(int line)
    {
        var branches = new List<(Expression?, IReadOnlyList<Statement>)>();
        while (true)
        {
            var condition = Tuple(conditional: false);
            branches.Add((condition, Block("elif", "else", "endif")));
            var next = Next().Text;
            if (next == "else")
            {
                branches.Add((null, Block("endif")));
                Next();
            }
            if (next != "elif")
                return new If(branches, line);
        }
    }

    private For For(int line)
    {
        _loops++;
        var target = Target(end: "in");
        if (!SkipName("in"))
            throw Expected("'in'");
        var items = Tuple(conditional: false, end: "recursive");
        var filter = SkipName("if") ? Expression() : null;
        var recursive = SkipName("recursive");
        var outer = _canBreak;
        _canBreak = true;
        var body = new Body(Block("endfor", "else"));
        _canBreak = outer;
        Body? otherwise = null;
        if (Next().Text == "else")
        {
            otherwise = new Body(Block("endfor"));
            Next();
        }
        _loops--;
        return new For(target, items, filter, recursive, body, otherwise, line);
    }

    private Statement Breaking(Statement statement) =>
        _canBreak
            ? statement
            : throw new JinjaException("break and continue stand in a loop, and not within a block of it but if and with", statement.Line);

    private Statement Set(int line)
    {
        var target = Target(inSet: true);
        if (SkipSign("="))
            return new Set(target, Tuple(), line);
        var filter = Current.IsSign("|") ? Filter(null) : null;
        return new SetBlock(target, filter, OwnBody("endset"), line);
    }

    private With With(int line)
    {
        var names = new List<(Target, Expression)>();
        while (Current.Kind != TokenKind.BlockEnd && !Current.IsSign(":"))
        {
            if (names.Count > 0)
                ExpectSign(",");
            // No tuples: the comma separates.
            var name = new NameTarget(Assignable(ExpectName(), isStored: false));
            ExpectSign("=");
            names.Add((name, Expression()));
        }
        var body = new Body(Block("endwith"));
        Next();
        return new With(names, body, line);
    }

    private CallBlock CallBlock(int line)
    {
        var parameters = Current.IsSign("(") ? Parameters() : [];
        var call = Expression() as CallOf ?? throw new JinjaException("{% call %} takes a call", line);
        return new CallBlock(call, Code(parameters, "endcall"), line);
    }

    private List<Statement> Prints(int line)
    {
        var prints = new List<Statement>();
        while (Current.Kind != TokenKind.BlockEnd)
        {
            if (prints.Count > 0)
                ExpectSign(",");
            prints.Add(new Print(Expression(), line));
        }
        return prints;
    }

    private List<(string Name, Expression? Default)> Parameters()
    {
        var parameters = new List<(string Name, Expression? Default)>();
        var line = ExpectSign("(").Line;
        while (!Current.IsSign(")"))
        {
            if (parameters.Count > 0)
                ExpectSign(",");
            var name = Assignable(ExpectName(), isStored: false);
            var value = SkipSign("=") ? Expression() : null;
            if (value is null && parameters.Count > 0 && parameters[^1].Default is not null)
                throw new JinjaException($"'{name}' has no default and follows one that has", line);
            if (parameters.Any(other => other.Name == name))
                throw new JinjaException($"the parameter '{name}' is there twice", line);
            parameters.Add((name, value));
        }
        ExpectSign(")");
        return parameters;
    }

    private MacroCode Code(List<(string Name, Expression? Default)> parameters, string end)
    {
        var body = OwnBody(end);
        var asks = Scoping.Reads(body.Statements, ["caller", "kwargs", "varargs"]);
        if (asks.Contains("caller") && parameters.Any(static p => p is { Name: "caller", Default: null }))
            throw new JinjaException("the parameter 'caller' needs a default", Current.Line);
        asks.ExceptWith(parameters.Select(static parameter => parameter.Name));
        return new MacroCode(parameters, body, asks);
    }

    /// <summary>A body that is run apart from the loop that it may stand in.</summary>
    private Body OwnBody(string end)
    {
        var outer = _canBreak;
        _canBreak = false;
        var body = new Body(Block(end));
        _canBreak = outer;
        Next();
        return body;
    }

    private List<Statement> Block(params string[] ends)
    {
        SkipSign(":");
        var line = Current.Line;
        EndTag();
        return Statements(ends, line);
    }

    /// <summary>What is assigned to: names, with commas between them or in parentheses.</summary>
    private Target Target(string? end = null, bool inSet = false)
    {
        var (targets, isTuple) = (new List<Target>(), false);
        while (true)
        {
            if (Current.Kind == TokenKind.BlockEnd || Current.IsSign(")") || (end is not null && Current.IsName(end)))
                break;
            targets.Add(SingleTarget(inSet));
            if (!SkipSign(","))
                break;
            isTuple = true;
        }
        return isTuple ? new TupleTarget(targets)
            : targets.Count == 1 ? targets[0]
            : throw Expected("a name");
    }

    private Target SingleTarget(bool inSet)
    {
        if (SkipSign("("))
        {
            var inner = Nested(() => Target());
            ExpectSign(")");
            return inner;
        }
        var name = ExpectName();
        return inSet && SkipSign(".") ? new NamespaceTarget(name, ExpectName()) : new NameTarget(Assignable(name, isStored: true));
    }

    private string TargetName() => Assignable(ExpectName(), isStored: false);

    private string Assignable(string name, bool isStored) =>
        name is "true" or "false" or "none" or "True" or "False" or "None"
            ? throw new JinjaException($"'{name}' cannot be assigned to", Current.Line)
        : isStored && _loops > 0 && name == "loop" ? throw new JinjaException("loop cannot be assigned to within a loop", Current.Line)
        : name;
}
