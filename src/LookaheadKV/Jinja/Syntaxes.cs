using System.Runtime.CompilerServices;

namespace LookaheadKV.Jinja;

/// <summary>Going through the names that expressions and statements read.</summary>
internal static class Syntaxes
{
    /// <summary>Names each name in an expression, in the order in which they are evaluated.</summary>
    public static void Names(Expression? expression, Action<string> name)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        if (expression is NameOf found)
            name(found.Name);
        foreach (var part in Parts(expression))
            Names(part, name);
    }

    /// <summary>Names each name that a statement reads, its inner bodies included.</summary>
    public static void Names(Statement statement, Action<string> name)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        foreach (var expression in Expressions(statement))
            Names(expression, name);
        foreach (var inner in Inner(statement))
            Names(inner, name);
    }

    private static IEnumerable<Expression?> Parts(Expression? expression) =>
        expression switch
        {
            AttributeOf attribute => [attribute.Value],
            ItemOf item => [item.Value, item.Key],
            SliceOf slice => [slice.Value, slice.Start, slice.Stop, slice.Step],
            ListOf list => list.Items,
            TupleOf tuple => tuple.Items,
            DictOf dict => dict.Entries.SelectMany(static entry => new[] { entry.Key, entry.Value }),
            Unary unary => [unary.Value],
            Binary binary => [binary.Left, binary.Right],
            Not not => [not.Value],
            And and => [and.Left, and.Right],
            Or or => [or.Left, or.Right],
            Compare compare => compare.Others.Select(static other => other.Value).Prepend(compare.First),
            Concat concat => concat.Parts,
            Conditional conditional => [conditional.Condition, conditional.Then, conditional.Else],
            CallOf call => call.Arguments.All.Prepend(call.Target),
            FilterOf filter => filter.Arguments.All.Prepend(filter.Value),
            TestOf test => test.Arguments.All.Prepend(test.Value),
            _ => [],
        };

    private static IEnumerable<Expression?> Expressions(Statement statement) =>
        statement switch
        {
            Print print => [print.Value],
            If choice => choice.Branches.Select(static branch => branch.Condition),
            For loop => [loop.Items, loop.Filter],
            Set set => [set.Value],
            SetBlock set => [set.Filter],
            With with => with.Names.Select(static name => name.Value),
            MacroOf macro => macro.Code.Parameters.Select(static parameter => parameter.Default),
            CallBlock call => call.Code.Parameters.Select(static parameter => parameter.Default).Append(call.Call),
            FilterBlock filter => [filter.Filter],
            _ => [],
        };

    private static IEnumerable<Statement> Inner(Statement statement) =>
        statement switch
        {
            If choice => choice.Branches.SelectMany(static branch => branch.Statements),
            For loop => loop.Body.Statements.Concat(loop.Else?.Statements ?? []),
            SetBlock set => set.Body.Statements,
            With with => with.Body.Statements,
            MacroOf macro => macro.Code.Body.Statements,
            CallBlock call => call.Code.Body.Statements,
            FilterBlock filter => filter.Body.Statements,
            Scoped scoped => scoped.Code.Body.Statements,
            _ => [],
        };
}
