using System.Numerics;
using System.Runtime.CompilerServices;

namespace LookaheadKV.Jinja;

/// <summary>The expressions of the grammar at the head of <see cref="Parser"/>.</summary>
internal class ExpressionParser(IReadOnlyList<Token> tokens)
{
    private const int MaxDepth = 100;
    private int _at;
    private int _depth;

    protected Token Current => tokens[_at];

    protected Token Following => tokens[Math.Min(_at + 1, tokens.Count - 1)];

    protected Token Next() => Current.Kind == TokenKind.End ? Current : tokens[_at++];

    protected bool SkipSign(string sign) => Skip(Current.IsSign(sign));

    protected bool SkipName(string name) => Skip(Current.IsName(name));

    protected Token ExpectSign(string sign) => Current.IsSign(sign) ? Next() : throw Expected($"'{sign}'");

    protected string ExpectName() => Current.Kind == TokenKind.Name ? Next().Text : throw Expected("a name");

    protected JinjaException Expected(string what) => new($"expected {what}, found {Current}", Current.Line);

    /// <summary>Counts how deep what is parsed is nested.</summary>
    protected T Nested<T>(Func<T> parse)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        if (++_depth > MaxDepth)
            throw new JinjaException($"the template is nested deeper than {MaxDepth} levels", Current.Line);
        var parsed = parse();
        _depth--;
        return parsed;
    }

    /// <summary>An expression, or several with commas between them, which are a tuple.</summary>
    /// <param name="conditional">Whether <c>a if b</c> is taken.</param>
    /// <param name="end">A name that ends the tuple too.</param>
    /// <param name="parenthesised">Whether it stands in parentheses, where it may be empty.</param>
    protected Expression Tuple(bool conditional = true, string? end = null, bool parenthesised = false)
    {
        var line = Current.Line;
        var (items, isTuple) = (new List<Expression>(), false);
        while (true)
        {
            if (
                Current.Kind is TokenKind.VariableEnd or TokenKind.BlockEnd
                || Current.IsSign(")")
                || (end is not null && Current.IsName(end))
            )
                break;
            items.Add(conditional ? Expression() : Disjunction());
            if (!SkipSign(","))
                break;
            isTuple = true;
        }
        if (!isTuple && items.Count == 1)
            return items[0];
        return isTuple || parenthesised ? new TupleOf(items, line) : throw Expected("an expression");
    }

    protected Expression Expression() =>
        Nested(() =>
        {
            var line = Current.Line;
            var value = Disjunction();
            while (SkipName("if"))
            {
                var condition = Disjunction();
                value = new Conditional(condition, value, SkipName("else") ? Expression() : null, line);
            }
            return value;
        });

    private Expression Disjunction()
    {
        var left = Conjunction();
        while (Current.IsName("or"))
            left = new Or(left, After(Conjunction, out var line), line);
        return left;
    }

    private Expression Conjunction()
    {
        var left = Negation();
        while (Current.IsName("and"))
            left = new And(left, After(Negation, out var line), line);
        return left;
    }

    private Expression Negation() => Current.IsName("not") ? Nested(() => new Not(After(Negation, out var line), line)) : Comparison();

    private Expression Comparison()
    {
        var line = Current.Line;
        var first = Sum();
        var others = new List<(string, Expression)>();
        while (true)
        {
            if (Current is { Kind: TokenKind.Sign, Text: "==" or "!=" or "<" or "<=" or ">" or ">=" })
                others.Add((Next().Text, Sum()));
            else if (SkipName("in"))
                others.Add(("in", Sum()));
            else if (Current.IsName("not") && Following.IsName("in"))
            {
                Next();
                Next();
                others.Add(("not in", Sum()));
            }
            else
                return others.Count == 0 ? first : new Compare(first, others, line);
        }
    }

    private Expression Sum() => LeftToRight(Concatenation, "+", "-");

    private Expression Concatenation()
    {
        var line = Current.Line;
        var parts = new List<Expression> { Product() };
        while (SkipSign("~"))
            parts.Add(Product());
        return parts.Count == 1 ? parts[0] : new Concat(parts, line);
    }

    private Expression Product() => LeftToRight(Power, "*", "/", "//", "%");

    private Expression Power() => LeftToRight(() => Signed(filters: true), "**");

    private Expression LeftToRight(Func<Expression> operand, params string[] signs)
    {
        var left = operand();
        while (Current.Kind == TokenKind.Sign && signs.Contains(Current.Text))
        {
            var sign = Next();
            left = new Binary(sign.Text, left, operand(), sign.Line);
        }
        return left;
    }

    private Expression Signed(bool filters)
    {
        var value = Current is { Kind: TokenKind.Sign, Text: "-" or "+" }
            ? Nested(() =>
            {
                var sign = Next();
                return new Unary(sign.Text, Signed(filters: false), sign.Line);
            })
            : Primary();
        value = Postfixes(value);
        return filters ? FiltersAndTests(value) : value;
    }

    protected Expression Primary()
    {
        var token = Current;
        switch (token.Kind)
        {
            case TokenKind.Name:
                Next();
                return token.Text switch
                {
                    "true" or "True" => new Literal(true, token.Line),
                    "false" or "False" => new Literal(false, token.Line),
                    "none" or "None" => new Literal(null, token.Line),
                    "self" => throw new JinjaException("self, which is for blocks, is not supported", token.Line),
                    _ => new NameOf(token.Text, token.Line),
                };
            case TokenKind.Number:
                Next();
                return new Literal(token.Value, token.Line);
            case TokenKind.Text:
                var text = Next().Text;
                while (Current.Kind == TokenKind.Text)
                    text += Next().Text;
                return new Literal(text, token.Line);
            case TokenKind.Sign when SkipSign("("):
                var inner = Nested(() => Tuple(parenthesised: true));
                ExpectSign(")");
                return inner;
            case TokenKind.Sign when SkipSign("["):
                return new ListOf(Listed("]", Expression), token.Line);
            case TokenKind.Sign when SkipSign("{"):
                return new DictOf(Listed("}", Entry), token.Line);
            default:
                throw Expected("an expression");
        }
    }

    private (Expression, Expression) Entry()
    {
        var key = Expression();
        ExpectSign(":");
        return (key, Expression());
    }

    private List<T> Listed<T>(string close, Func<T> item)
    {
        var items = new List<T>();
        while (!Current.IsSign(close))
        {
            if (items.Count > 0)
                ExpectSign(",");
            if (Current.IsSign(close))
                break;
            items.Add(item());
        }
        ExpectSign(close);
        return items;
    }

    private Expression Postfixes(Expression value)
    {
        while (true)
        {
            if (SkipSign("."))
            {
                var name = Next();
                value =
                    name.Kind == TokenKind.Name ? new AttributeOf(value, name.Text, name.Line)
                    : name is { Kind: TokenKind.Number, Value: BigInteger }
                        ? new ItemOf(value, new Literal(name.Value, name.Line), name.Line)
                    : throw new JinjaException($"expected a name or number behind '.', found {name}", name.Line);
            }
            else if (Current.IsSign("["))
                value = Subscript(value);
            else if (Current.IsSign("("))
                value = Call(value);
            else
                return value;
        }
    }

    private Expression Subscript(Expression value)
    {
        var line = Next().Line;
        Expression? start = Current.IsSign(":") ? null : Expression();
        if (!SkipSign(":"))
        {
            if (Current.IsSign(","))
                throw new JinjaException("subscripts with commas are not supported", line);
            ExpectSign("]");
            return new ItemOf(value, start!, line);
        }
        var stop = Current.IsSign(":") || Current.IsSign("]") ? null : Expression();
        var step = SkipSign(":") && !Current.IsSign("]") ? Expression() : null;
        ExpectSign("]");
        return new SliceOf(value, start, stop, step, line);
    }

    protected CallOf Call(Expression target)
    {
        var line = Current.Line;
        return new CallOf(target, CallArguments(), line);
    }

    private Arguments CallArguments()
    {
        var line = ExpectSign("(").Line;
        var (positional, named) = (new List<Expression>(), new List<(string Name, Expression)>());
        Expression? spread = null;
        Expression? namedSpread = null;
        while (!Current.IsSign(")"))
        {
            if (SkipSign("*"))
                spread = Once(spread is null && namedSpread is null);
            else if (SkipSign("**"))
                namedSpread = Once(namedSpread is null);
            else if (Current.Kind == TokenKind.Name && Following.IsSign("="))
            {
                var name = Next().Text;
                Next();
                if (named.Any(other => other.Name == name))
                    throw new JinjaException($"the argument '{name}' is given twice", line);
                named.Add((name, Once(namedSpread is null)));
            }
            else
                positional.Add(Once(spread is null && namedSpread is null && named.Count == 0));
            if (!Current.IsSign(")"))
                ExpectSign(",");
        }
        ExpectSign(")");
        return new Arguments(positional, named, spread, namedSpread);

        Expression Once(bool allowed) =>
            allowed ? Expression() : throw new JinjaException("the arguments of the call are in a wrong order", line);
    }

    private Expression FiltersAndTests(Expression value)
    {
        while (true)
        {
            if (Current.IsSign("|"))
                value = Filter(value);
            else if (Current.IsName("is"))
                value = Test(value);
            else if (Current.IsSign("("))
                value = Call(value);
            else
                return value;
        }
    }

    /// <summary>Filters one behind the other; at least one.</summary>
    /// <param name="value">What is filtered; null: a block.</param>
    /// <param name="named">Whether the first stands here without its <c>|</c>.</param>
    protected FilterOf Filter(Expression? value, bool named = false)
    {
        FilterOf? filter = null;
        while (named || SkipSign("|"))
        {
            var line = Current.Line;
            var name = DottedName();
            var arguments = Current.IsSign("(") ? CallArguments() : Arguments.None;
            filter = new FilterOf(filter ?? value, name, Filters.Named(name, line), arguments, line);
            named = false;
        }
        return filter ?? throw Expected("'|'");
    }

    private Expression Test(Expression value)
    {
        var line = Next().Line;
        var negated = SkipName("not");
        var name = DottedName();
        var arguments = Arguments.None;
        if (Current.IsSign("("))
            arguments = CallArguments();
        else if (TakesOperand())
            arguments = Arguments.None with { Positional = [Postfixes(Primary())] };
        var test = new TestOf(value, name, Tests.Named(name, line), arguments, line);
        return negated ? new Not(test, line) : test;
    }

    // A test may have one argument without parentheses: x is divisibleby 3.
    private bool TakesOperand()
    {
        if (Current.IsName("is"))
            throw new JinjaException("tests cannot be chained", Current.Line);
        return Current.Kind is TokenKind.Text or TokenKind.Number
            || (Current.Kind == TokenKind.Name && Current.Text is not ("else" or "or" or "and"))
            || Current.IsSign("[")
            || Current.IsSign("{");
    }

    private string DottedName()
    {
        var name = ExpectName();
        while (SkipSign("."))
            name += "." + ExpectName();
        return name;
    }

    private bool Skip(bool isThere)
    {
        if (isThere)
            Next();
        return isThere;
    }

    private Expression After(Func<Expression> operand, out int line)
    {
        line = Next().Line;
        return operand();
    }
}
