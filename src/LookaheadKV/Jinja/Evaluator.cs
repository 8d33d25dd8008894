namespace LookaheadKV.Jinja;

/// <summary>The values of expressions.</summary>
internal sealed class Evaluator(Machine machine)
{
    public object? Value(Expression expression, Scope scope)
    {
        machine.Enter();
        machine.Line = expression.Line;
        var value = expression switch
        {
            Literal literal => literal.Value,
            NameOf name => scope.Get(name.Name),
            AttributeOf attribute => At(attribute, Access.Attribute(Value(attribute.Value, scope), attribute.Name)),
            ItemOf item => Access.Item(Value(item.Value, scope), Value(item.Key, scope)),
            SliceOf slice => Access.Slice(machine, Value(slice.Value, scope), Bound(slice.Start), Bound(slice.Stop), Bound(slice.Step)),
            ListOf list => new ListValue(All(list.Items, scope)),
            TupleOf tuple => new TupleValue(All(tuple.Items, scope)),
            DictOf dict => new DictValue([
                .. dict.Entries.Select(entry => KeyValuePair.Create(Value(entry.Key, scope), Value(entry.Value, scope))),
            ]),
            Unary { Sign: "-" } unary => Operators.Negate(Value(unary.Value, scope)),
            Unary unary => Operators.Plus(Value(unary.Value, scope)),
            Binary binary => Operators.Apply(machine, binary.Sign, Value(binary.Left, scope), Value(binary.Right, scope)),
            Not not => !Truth.Of(Value(not.Value, scope)),
            And and => Value(and.Left, scope) is var left && Truth.Of(left) ? Value(and.Right, scope) : left,
            Or or => Value(or.Left, scope) is var left && Truth.Of(left) ? left : Value(or.Right, scope),
            Compare compare => Compared(compare, scope),
            Concat concat => machine.Made(string.Concat(concat.Parts.Select(part => Printing.Text(machine, Value(part, scope))))),
            Conditional conditional => Chosen(conditional, scope),
            CallOf call => Called(call, scope),
            FilterOf filter => Filtered(filter, filter.Value is null ? null : Value(filter.Value, scope), scope),
            TestOf test => Tested(test, scope),
            _ => throw new JinjaException($"{expression.GetType().Name} is not supported"),
        };
        machine.Leave();
        return value;

        object? Bound(Expression? bound) => bound is null ? null : Value(bound, scope);
    }

    /// <summary>Calls what is there, with the block of <c>{% call %}</c> as one more argument.</summary>
    public object? Called(CallOf call, Scope scope, object? caller = null)
    {
        var target = Value(call.Target, scope);
        var arguments = Given(call.Arguments, scope);
        if (caller is not null)
            arguments = arguments with { Named = [.. arguments.Named, KeyValuePair.Create("caller", (object?)caller)] };
        machine.Line = call.Line;
        return target switch
        {
            Callable callable => callable.Call(machine, arguments),
            Undefined undefined => throw new JinjaException(undefined.Reason),
            _ => throw new JinjaException($"{Printing.TypeName(target)} cannot be called"),
        };
    }

    /// <summary>A filter of a value that is there already.</summary>
    public object? Filtered(FilterOf filter, object? value, Scope scope)
    {
        var arguments = filter.Filter.Signature.Bind(filter.Name, Given(filter.Arguments, scope));
        machine.Line = filter.Line;
        return filter.Filter.Body(machine, value, arguments);
    }

    /// <summary>Filters of a block, the innermost first.</summary>
    public object? FilteredBlock(FilterOf filter, string block, Scope scope) =>
        Filtered(filter, filter.Value is FilterOf inner ? FilteredBlock(inner, block, scope) : block, scope);

    private object? At(AttributeOf attribute, object? value)
    {
        machine.Line = attribute.Line;
        return value;
    }

    private object?[] All(IReadOnlyList<Expression> expressions, Scope scope)
    {
        var values = new object?[expressions.Count];
        for (var i = 0; i < values.Length; i++)
            values[i] = Value(expressions[i], scope);
        return values;
    }

    private bool Tested(TestOf test, Scope scope)
    {
        var value = Value(test.Value, scope);
        var arguments = test.Test.Signature.Bind(test.Name, Given(test.Arguments, scope));
        machine.Line = test.Line;
        return test.Test.Body(machine, value, arguments);
    }

    private object? Chosen(Conditional conditional, Scope scope) =>
        Truth.Of(Value(conditional.Condition, scope)) ? Value(conditional.Then, scope)
        : conditional.Else is not null ? Value(conditional.Else, scope)
        : new Undefined($"the if on line {conditional.Line} was false and has no else");

    private object Compared(Compare compare, Scope scope)
    {
        var left = Value(compare.First, scope);
        foreach (var (sign, other) in compare.Others)
        {
            var right = Value(other, scope);
            var holds = sign switch
            {
                "==" => Comparison.AreEqual(left, right),
                "!=" => !Comparison.AreEqual(left, right),
                "in" => Comparison.Contains(machine, right, left),
                "not in" => !Comparison.Contains(machine, right, left),
                "<" => Comparison.Order(left, right, sign) < 0,
                "<=" => Comparison.Order(left, right, sign) <= 0,
                ">" => Comparison.Order(left, right, sign) > 0,
                _ => Comparison.Order(left, right, sign) >= 0,
            };
            if (!holds)
                return false;
            left = right;
        }
        return true;
    }

    private CallArguments Given(Arguments arguments, Scope scope)
    {
        if (ReferenceEquals(arguments, Arguments.None))
            return CallArguments.None;
        var positional = All(arguments.Positional, scope).ToList();
        var named = new List<KeyValuePair<string, object?>>();
        foreach (var (name, value) in arguments.Named)
            named.Add(KeyValuePair.Create(name, Value(value, scope)));
        if (arguments.Spread is not null)
            positional.AddRange(Iteration.Over(machine, Value(arguments.Spread, scope)));
        if (arguments.NamedSpread is not null)
        {
            if (Value(arguments.NamedSpread, scope) is not DictValue dict)
                throw new JinjaException("** takes a mapping");
            foreach (var (key, value) in dict.Entries)
            {
                var name = key as string ?? throw new JinjaException("names of arguments must be strings");
                if (named.Any(pair => pair.Key == name))
                    throw new JinjaException($"the argument '{name}' is given twice");
                named.Add(KeyValuePair.Create(name, value));
            }
        }
        return new CallArguments(positional, named);
    }
}
