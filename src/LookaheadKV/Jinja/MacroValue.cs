namespace LookaheadKV.Jinja;

/// <summary>A macro, or the block of a <c>{% call %}</c>: a function whose result is what its body outputs.</summary>
/// <param name="interpreter">Runs the body.</param>
/// <param name="name">Its name; empty for a block.</param>
/// <param name="code">Parameters and body.</param>
/// <param name="scope">Where it was defined.</param>
internal sealed class MacroValue(Interpreter interpreter, string name, MacroCode code, Scope scope) : Callable
{
    private const string Caller = "caller";

    public override string Name => name;

    public override object? Call(Machine machine, CallArguments arguments)
    {
        var named = new OrderedDictionary<string, object?>(arguments.Named);
        var own = Scope.For(code.Body, scope);
        var count = code.Parameters.Count;
        for (var i = 0; i < count; i++)
        {
            var (parameter, _) = code.Parameters[i];
            own.Set(
                parameter,
                i < arguments.Positional.Count ? arguments.Positional[i]
                    : named.Remove(parameter, out var given) ? given
                    : Bound.Absent
            );
        }
        // A default may read the parameters before it.
        foreach (var (parameter, value) in code.Parameters)
        {
            if (own.Get(parameter) == Bound.Absent)
                own.Set(
                    parameter,
                    value is null ? new Undefined($"parameter '{parameter}' was not provided") : interpreter.Value(value, own)
                );
        }
        if (code.Asks.Contains(Caller))
            own.Set(Caller, named.Remove(Caller, out var caller) && caller is not null ? caller : new Undefined("No caller defined"));
        if (code.Asks.Contains("kwargs"))
            own.Set("kwargs", new DictValue(named.Select(static pair => KeyValuePair.Create((object?)pair.Key, pair.Value))));
        else if (named.Count > 0)
            throw new JinjaException($"macro '{name}' takes no argument called '{named.First().Key}'");
        if (code.Asks.Contains("varargs"))
            own.Set("varargs", new TupleValue([.. arguments.Positional.Skip(count)]));
        else if (arguments.Positional.Count > count)
            throw new JinjaException($"macro '{name}' takes not more than {count} argument(s)");
        machine.Enter();
        var output = interpreter.Output(code.Body, own);
        machine.Leave();
        return machine.Made(output);
    }

    public bool TryGet(string attribute, out object? value)
    {
        value = attribute switch
        {
            "name" => name == "" ? null : name,
            "arguments" => new TupleValue([.. code.Parameters.Select(static parameter => (object?)parameter.Name)]),
            "catch_kwargs" => code.Asks.Contains("kwargs"),
            "catch_varargs" => code.Asks.Contains("varargs"),
            Caller => code.Asks.Contains(Caller),
            _ => Bound.Absent,
        };
        return value != Bound.Absent;
    }
}
