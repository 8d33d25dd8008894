using System.Text;

namespace LookaheadKV.Jinja;

/// <summary>Runs statements and collects what they output.</summary>
internal sealed class Interpreter(Machine machine)
{
    private readonly Evaluator _evaluator = new(machine);
    private StringBuilder _output = new();

    /// <summary>How a statement ended.</summary>
    private enum Flow
    {
        Next,
        Break,
        Continue,
    }

    /// <summary>The output of a body in a scope of its own.</summary>
    public string Output(Body body, Scope scope)
    {
        var outer = _output;
        _output = new StringBuilder();
        try
        {
            Run(body.Statements, scope);
            return _output.ToString();
        }
        finally
        {
            _output = outer;
        }
    }

    /// <summary>The value of an expression in a macro's parameters.</summary>
    public object? Value(Expression expression, Scope scope) => _evaluator.Value(expression, scope);

    private Flow Run(IReadOnlyList<Statement> statements, Scope scope)
    {
        machine.Enter();
        var flow = Flow.Next;
        for (var i = 0; i < statements.Count && flow == Flow.Next; i++)
        {
            machine.Line = statements[i].Line;
            flow = Run(statements[i], scope);
        }
        machine.Leave();
        return flow;
    }

    private Flow Run(Statement statement, Scope scope)
    {
        switch (statement)
        {
            case TextOutput text:
                Write(text.Text);
                return Flow.Next;
            case Print print:
                Write(Printing.Text(machine, _evaluator.Value(print.Value, scope)));
                return Flow.Next;
            case If choice:
                foreach (var (condition, statements) in choice.Branches)
                {
                    if (condition is null || Truth.Of(_evaluator.Value(condition, scope)))
                        return Run(statements, scope);
                }
                return Flow.Next;
            case For loop:
                Run(loop, scope);
                return Flow.Next;
            case Set set:
                CheckNamespaces(set.Target, scope);
                Assign(set.Target, _evaluator.Value(set.Value, scope), scope);
                return Flow.Next;
            case SetBlock set:
                var inner = Scope.For(set.Body, scope);
                var block = Output(set.Body, inner);
                object? value = set.Filter is null ? block : _evaluator.FilteredBlock(set.Filter, block, inner);
                CheckNamespaces(set.Target, scope);
                Assign(set.Target, value, scope);
                return Flow.Next;
            case With with:
                var own = Scope.For(with.Body, scope);
                foreach (var (target, expression) in with.Names)
                    Assign(target, _evaluator.Value(expression, scope), own);
                return Run(with.Body.Statements, own);
            case MacroOf macro:
                scope.Set(macro.Name, new MacroValue(this, macro.Name, macro.Code, scope));
                return Flow.Next;
            case CallBlock call:
                Write(AsText(_evaluator.Called(call.Call, scope, new MacroValue(this, "", call.Code, scope)), "call"));
                return Flow.Next;
            case FilterBlock filter:
                var filtered = Scope.For(filter.Body, scope);
                Write(AsText(_evaluator.FilteredBlock(filter.Filter, Output(filter.Body, filtered), filtered), "filter"));
                return Flow.Next;
            case Scoped scoped:
                Write(AsText(new MacroValue(this, "", scoped.Code, scope).Call(machine, CallArguments.None), "generation"));
                return Flow.Next;
            case Break:
                return Flow.Break;
            case Continue:
                return Flow.Continue;
            default:
                throw new JinjaException($"{statement.GetType().Name} is not supported");
        }
    }

    private void Run(For loop, Scope scope)
    {
        if (loop.Recursive)
            Write(machine.Made(Recursive(loop, scope, _evaluator.Value(loop.Items, scope), depth: 0)));
        else
            Run(loop, scope, _evaluator.Value(loop.Items, scope), depth: 0, recurse: null);
    }

    private string Recursive(For loop, Scope scope, object? items, int depth)
    {
        var outer = _output;
        _output = new StringBuilder();
        try
        {
            machine.Enter();
            Run(loop, scope, items, depth, (inner, level) => Recursive(loop, scope, inner, level));
            machine.Leave();
            return _output.ToString();
        }
        finally
        {
            _output = outer;
        }
    }

    private void Run(For loop, Scope scope, object? items, int depth, Func<object?, int, string>? recurse)
    {
        var chosen = Iteration.Over(machine, items);
        if (loop.Filter is { } filter)
            chosen = chosen.Where(item => Truth.Of(_evaluator.Value(filter, Bound(item))));
        var length = loop.Filter is null ? Truth.Length(items) : null;
        var state = new LoopValue(chosen, length, depth, recurse);
        var completed = false;
        while (state.MoveNext())
        {
            var own = Scope.For(loop.Body, scope);
            own.Set("loop", state);
            Assign(loop.Target, state.Current, own);
            var flow = Run(loop.Body.Statements, own);
            if (flow == Flow.Break)
                break;
            // As in jinja2, a pass that ends with continue does not count.
            completed |= flow == Flow.Next;
        }
        if (!completed && loop.Else is not null)
            Run(loop.Else.Statements, Scope.For(loop.Else, scope));

        Scope Bound(object? item)
        {
            var bound = new Scope(scope);
            Assign(loop.Target, item, bound);
            return bound;
        }
    }

    private void Assign(Target target, object? value, Scope scope)
    {
        switch (target)
        {
            case NameTarget name:
                scope.Set(name.Name, value);
                break;
            case NamespaceTarget space:
                ((NamespaceValue)scope.Get(space.Name)!).Attributes[space.Attribute] = value;
                break;
            case TupleTarget tuple:
                var items = Iteration.Over(machine, value).Take(tuple.Items.Count + 1).ToList();
                if (items.Count != tuple.Items.Count)
                    throw new JinjaException(
                        $"{tuple.Items.Count} values are needed, and there are {(items.Count > tuple.Items.Count ? "more" : $"{items.Count}")}"
                    );
                foreach (var (part, item) in tuple.Items.Zip(items))
                    Assign(part, item, scope);
                break;
        }
    }

    private static void CheckNamespaces(Target target, Scope scope)
    {
        if (target is TupleTarget tuple)
        {
            foreach (var item in tuple.Items)
                CheckNamespaces(item, scope);
        }
        else if (target is NamespaceTarget space && scope.Get(space.Name) is not NamespaceValue)
            throw new JinjaException($"'{space.Name}' is no namespace: its attributes cannot be set");
    }

    // What such a block gives is not printed but output as it is.
    private static string AsText(object? value, string block) =>
        value as string
        ?? (value as Markup)?.Text
        ?? throw new JinjaException($"a {block} block must give a string, not {Printing.TypeName(value)}");

    private void Write(string text)
    {
        machine.Made(text);
        _output.Append(text);
    }
}
