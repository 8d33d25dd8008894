using System.Runtime.CompilerServices;

namespace LookaheadKV.Jinja;

/// <summary>
/// Which names a body starts without. jinja2 decides before it renders where each name lives: one that a body sets, and reads nowhere before,
/// is the body's own from its first line on, and reads as undefined until it is set, also from within inner bodies, even where a variable
/// of that name is given to the template. A name that is set within an <c>if</c> alone is not.
/// </summary>
internal sealed class Scoping
{
    private readonly Scoping? _outer;
    private readonly HashSet<string> _known = []; // names that this body read or set
    private readonly HashSet<string> _own = []; // of these, those it set before it read them

    private Scoping(Scoping? outer) => _outer = outer;

    /// <summary>Finds them for a template and everything in it.</summary>
    public static void Resolve(Body template) => new Scoping(null).Enter(template, []);

    /// <summary>Which of these names the statements read.</summary>
    public static HashSet<string> Reads(IEnumerable<Statement> statements, string[] names)
    {
        var found = new HashSet<string>();
        foreach (var statement in statements)
            Syntaxes.Names(statement, name => _ = names.Contains(name) && found.Add(name));
        return found;
    }

    private bool Knows(string name) => _known.Contains(name) || _outer?.Knows(name) == true;

    private void Load(string name)
    {
        if (!Knows(name))
            _known.Add(name);
    }

    private void Store(string name)
    {
        if (_known.Add(name) && _outer?.Knows(name) != true)
            _own.Add(name);
    }

    // Parameters first, then the statements in their order; inner bodies only once all of this one's names are known.
    private void Enter(Body body, IEnumerable<string> parameters, IEnumerable<Expression>? defaults = null)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        _known.UnionWith(parameters);
        foreach (var expression in defaults ?? [])
            Load(expression);
        var inner = new List<Action>();
        foreach (var statement in body.Statements)
            Visit(statement, inner);
        body.Unset = [.. _own];
        foreach (var visit in inner)
            visit();
    }

    private void Load(Expression? expression) => Syntaxes.Names(expression, Load);

    private void Store(Target target)
    {
        switch (target)
        {
            case NameTarget name:
                Store(name.Name);
                break;
            case NamespaceTarget space:
                Load(space.Name);
                break;
            case TupleTarget tuple:
                foreach (var item in tuple.Items)
                    Store(item);
                break;
        }
    }

    private void Visit(Statement statement, List<Action> inner)
    {
        switch (statement)
        {
            case Print print:
                Load(print.Value);
                break;
            case If choice:
                Branches(choice.Branches, inner);
                break;
            case For loop:
                Load(loop.Items);
                inner.Add(() => new Scoping(this).Enter(loop.Body, [.. Named(loop.Target), "loop"]));
                if (loop.Else is not null)
                    inner.Add(() => new Scoping(this).Enter(loop.Else, []));
                break;
            case Set set:
                Load(set.Value);
                Store(set.Target);
                break;
            case SetBlock set:
                Store(set.Target);
                inner.Add(() => new Scoping(this).Enter(set.Body, []));
                break;
            case With with:
                foreach (var (_, value) in with.Names)
                    Load(value);
                inner.Add(() => new Scoping(this).Enter(with.Body, with.Names.SelectMany(static name => Named(name.Target))));
                break;
            case MacroOf macro:
                Store(macro.Name);
                inner.Add(() => Enter(macro.Code));
                break;
            case CallBlock call:
                Load(call.Call);
                inner.Add(() => Enter(call.Code));
                break;
            case FilterBlock filter:
                Load(filter.Filter);
                inner.Add(() => new Scoping(this).Enter(filter.Body, []));
                break;
            case Scoped scoped:
                inner.Add(() => Enter(scoped.Code));
                break;
        }
    }

    private void Enter(MacroCode code) =>
        new Scoping(this).Enter(
            code.Body,
            code.Parameters.Select(static parameter => parameter.Name).Concat(code.Asks),
            code.Parameters.Select(static parameter => parameter.Default).OfType<Expression>()
        );

    // What only a branch sets is read from outside until it is set.
    private void Branches(IReadOnlyList<(Expression? Condition, IReadOnlyList<Statement> Statements)> branches, List<Action> inner)
    {
        Load(branches[0].Condition);
        var own = _own.ToHashSet();
        foreach (var (condition, statements) in branches)
        {
            Load(condition);
            foreach (var statement in statements)
                Visit(statement, inner);
        }
        _own.IntersectWith(own);
    }

    private static IEnumerable<string> Named(Target target) =>
        target switch
        {
            NameTarget name => [name.Name],
            TupleTarget tuple => tuple.Items.SelectMany(Named),
            _ => [],
        };
}
