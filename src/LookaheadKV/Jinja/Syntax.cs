namespace LookaheadKV.Jinja;

/// <summary>An expression.</summary>
/// <param name="Line">Where it stands, from 1.</param>
internal abstract record Expression(int Line);

internal sealed record Literal(object? Value, int Line) : Expression(Line);

internal sealed record NameOf(string Name, int Line) : Expression(Line);

internal sealed record AttributeOf(Expression Value, string Name, int Line) : Expression(Line);

internal sealed record ItemOf(Expression Value, Expression Key, int Line) : Expression(Line);

internal sealed record SliceOf(Expression Value, Expression? Start, Expression? Stop, Expression? Step, int Line) : Expression(Line);

internal sealed record ListOf(IReadOnlyList<Expression> Items, int Line) : Expression(Line);

internal sealed record TupleOf(IReadOnlyList<Expression> Items, int Line) : Expression(Line);

internal sealed record DictOf(IReadOnlyList<(Expression Key, Expression Value)> Entries, int Line) : Expression(Line);

internal sealed record Unary(string Sign, Expression Value, int Line) : Expression(Line);

internal sealed record Binary(string Sign, Expression Left, Expression Right, int Line) : Expression(Line);

internal sealed record Not(Expression Value, int Line) : Expression(Line);

internal sealed record And(Expression Left, Expression Right, int Line) : Expression(Line);

internal sealed record Or(Expression Left, Expression Right, int Line) : Expression(Line);

/// <summary>A chain of comparisons: <c>a &lt; b &lt;= c</c>.</summary>
internal sealed record Compare(Expression First, IReadOnlyList<(string Sign, Expression Value)> Others, int Line) : Expression(Line);

internal sealed record Concat(IReadOnlyList<Expression> Parts, int Line) : Expression(Line);

internal sealed record Conditional(Expression Condition, Expression Then, Expression? Else, int Line) : Expression(Line);

internal sealed record CallOf(Expression Target, Arguments Arguments, int Line) : Expression(Line);

/// <summary>A filter; without a value where it filters a block.</summary>
internal sealed record FilterOf(Expression? Value, string Name, Filter Filter, Arguments Arguments, int Line) : Expression(Line);

internal sealed record TestOf(Expression Value, string Name, Test Test, Arguments Arguments, int Line) : Expression(Line);

/// <summary>The arguments of a call as they are written.</summary>
internal sealed record Arguments(
    IReadOnlyList<Expression> Positional,
    IReadOnlyList<(string Name, Expression Value)> Named,
    Expression? Spread,
    Expression? NamedSpread
)
{
    public static Arguments None { get; } = new([], [], null, null);

    public IEnumerable<Expression> All =>
        Positional.Concat(Named.Select(static named => named.Value)).Concat(new[] { Spread, NamedSpread }.OfType<Expression>());
}

/// <summary>What can be assigned to.</summary>
internal abstract record Target;

internal sealed record NameTarget(string Name) : Target;

internal sealed record NamespaceTarget(string Name, string Attribute) : Target;

internal sealed record TupleTarget(IReadOnlyList<Target> Items) : Target;

/// <summary>A statement.</summary>
internal abstract record Statement(int Line);

/// <summary>Statements with names of their own.</summary>
/// <param name="Statements">The statements.</param>
internal sealed record Body(IReadOnlyList<Statement> Statements)
{
    public static Body Empty { get; } = new([]);

    /// <summary>Names that are unset when the body is entered, whatever stands around it; see <see cref="Scoping"/>.</summary>
    public IReadOnlyList<string> Unset { get; set; } = [];
}

internal sealed record TextOutput(string Text, int Line) : Statement(Line);

internal sealed record Print(Expression Value, int Line) : Statement(Line);

/// <summary>A choice; the last branch has no condition if there is an <c>else</c>.</summary>
internal sealed record If(IReadOnlyList<(Expression? Condition, IReadOnlyList<Statement> Statements)> Branches, int Line) : Statement(Line);

internal sealed record For(Target Target, Expression Items, Expression? Filter, bool Recursive, Body Body, Body? Else, int Line)
    : Statement(Line);

internal sealed record Set(Target Target, Expression Value, int Line) : Statement(Line);

internal sealed record SetBlock(Target Target, FilterOf? Filter, Body Body, int Line) : Statement(Line);

internal sealed record With(IReadOnlyList<(Target Target, Expression Value)> Names, Body Body, int Line) : Statement(Line);

internal sealed record MacroOf(string Name, MacroCode Code, int Line) : Statement(Line);

internal sealed record CallBlock(CallOf Call, MacroCode Code, int Line) : Statement(Line);

internal sealed record FilterBlock(FilterOf Filter, Body Body, int Line) : Statement(Line);

/// <summary>A block that is called where it stands and has no other effect: <c>{% generation %}</c>.</summary>
internal sealed record Scoped(MacroCode Code, int Line) : Statement(Line);

internal sealed record Break(int Line) : Statement(Line);

internal sealed record Continue(int Line) : Statement(Line);

/// <summary>What a macro or call block runs.</summary>
/// <param name="Parameters">Names, and defaults where they have one.</param>
/// <param name="Body">The statements.</param>
/// <param name="Asks">Which of <c>caller</c>, <c>kwargs</c> and <c>varargs</c> the body reads.</param>
internal sealed record MacroCode(IReadOnlyList<(string Name, Expression? Default)> Parameters, Body Body, IReadOnlySet<string> Asks);
